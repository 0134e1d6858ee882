"""verify.py and the released page on the same bundles: one verdict, the same files and rows, whatever was changed.

A part of the changes by default; all 500, and all clean bundles, with EVIDENCE_ALL_MUTATIONS=1 (then `-s` shows the
table of what was found where).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reports.standalone import verify
from tests.fixtures_pages import Opened, Show
from tests.page.audited import Audited, make_audited
from tests.reports.bundle_mutations import Mutation, mutations

ALL = bool(os.environ.get("EVIDENCE_ALL_MUTATIONS"))
CHANGES = (
    {"everything": 200, "sampled": 150, "attested": 150} if ALL else {"everything": 60, "sampled": 45, "attested": 45}
)
CLEAN = 100 if ALL else 12
SEED = 41


class Judged(NamedTuple):
    """What a verifier says. ``found``: verdict and object of each finding; words may differ."""

    verdict: str
    exit_code: int
    found: frozenset[tuple[str, str]]


class Both(NamedTuple):
    """What both say of one bundle."""

    by_program: Judged
    by_page: Judged

    @property
    def agree(self) -> bool:
        return self.by_program == self.by_page


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return make_audited(tmp_path_factory.mktemp("audited"))


@pytest.fixture
def page(show: Show, audited: Audited) -> Opened:
    """The released page with the key and the pin of an auditor."""
    opened = show()
    opened.give("pin.json", audited.pin)
    opened.give_key(audited.log_vkey)
    return opened


def judged(said: dict[str, Any]) -> Judged:
    found = frozenset((item["verdict"], item["object"]) for item in said["findings"])
    return Judged(said["verdict"], said["exit_code"], found)


def judge(data: bytes, page: Opened, audited: Audited, tmp_path: Path) -> Both:
    path = tmp_path / "bundle.zip"
    path.write_bytes(data)
    by_program = verify.check(str(path), [verify.parse_key(audited.log_vkey)], verify.parse_pin(audited.pin))
    page.give_bundle(path)
    return Both(judged(by_program.as_json()), judged(page.verdict()))


def changed(audited: Audited) -> Iterator[Mutation]:
    """Changed bare, with sums that fit, in a stranger's name; and attested by the store's own key."""
    everything, sampled = audited.everything(), audited.sampled()
    yield from mutations(everything, SEED, CHANGES["everything"])
    yield from mutations(sampled, SEED + 1, CHANGES["sampled"])
    yield from mutations(everything, SEED + 2, CHANGES["attested"], audited.bundle_key)


def sort_of(name: str) -> str:
    """The sort of file that a mutation changed."""
    found = re.search(r"\((.+)\)", name)
    return re.sub(r"/\d+\.", "/N.", found[1]) if found else "the archive"


def table(judgements: Iterable[tuple[Mutation, Both]]) -> str:
    """By sort of file: changes, those that change meaning, and what each verifier found of them."""
    rows: dict[str, Counter[str]] = {}
    for mutation, both in judgements:
        row = rows.setdefault(sort_of(mutation.name), Counter())
        row.update(["changes"])
        if mutation.changes_meaning:
            row.update(["with a meaning"])
            row["verify.py"] += both.by_program.exit_code != 0
            row["page"] += both.by_page.exit_code != 0
            row["same findings"] += both.agree
    columns = ("changes", "with a meaning", "verify.py", "page", "same findings")
    total: Counter[str] = sum(rows.values(), Counter())
    lines = [*sorted(rows.items()), ("all", total)]
    return "\n".join(
        [f"| file | {' | '.join(columns)} |", "|---" * 6 + "|"]
        + [f"| {name} | {' | '.join(str(row[column]) for column in columns)} |" for name, row in lines]
    )


@pytest.mark.slow
def test_the_two_agree_on_changed_bundles_and_find_what_changes_their_meaning(
    page: Opened, audited: Audited, tmp_path: Path
) -> None:
    judgements = [(mutation, judge(mutation.data, page, audited, tmp_path)) for mutation in changed(audited)]
    print(table(judgements))
    differ = [(mutation.name, both) for mutation, both in judgements if not both.agree]
    missed = [
        (mutation.name, mutation.where, both)
        for mutation, both in judgements
        if mutation.changes_meaning
        and (not both.by_page.exit_code or not any(item[1].startswith(mutation.where) for item in both.by_page.found))
    ]

    assert len(judgements) == sum(CHANGES.values())
    assert differ == []
    assert missed == []
    assert page.errors == page.refused == page.requests == []


@pytest.mark.slow
def test_neither_raises_a_false_alarm(page: Opened, audited: Audited, tmp_path: Path) -> None:
    judgements = {name: judge(data, page, audited, tmp_path) for name, data in islice(audited.clean(), CLEAN)}

    assert len(judgements) == CLEAN
    assert {name: both for name, both in judgements.items() if not both.agree} == {}
    assert {name: both.by_page.found for name, both in judgements.items() if both.by_page.exit_code} == {}
