"""A bundle shows content that was ended, altered or withheld as what it is, each with the entry that says so."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import following, resealing
from ledger.content import ContentReader
from ledger.entries import blob_path
from ledger.erasing import Erasing, erase
from ledger.resealing import Redaction
from ledger.store import Store
from reports.bundle.export import Order
from reports.selection.predicates import ModelSelection, PeriodSelection
from tests.fixtures_stores import SAMPLE_LOGS
from tests.reports.bundles import Bank, Verdict, contents_of, described, fix_up, new_bank, rezip, unzip

Audit = Callable[..., Verdict]
ALL = PeriodSelection(None, None)
EVERY = ModelSelection("mira-7b")


@pytest.fixture
def small(tmp_path: Path) -> Bank:
    return new_bank(tmp_path, SAMPLE_LOGS / "mira" / "2026-W40.jsonl")


def with_store(bank: Bank, act: Callable[[Store], None]) -> None:
    with Store.open(bank.settings) as store:
        act(store)
        store.publish()


def owner_of(store: Store) -> tuple[Any, int, str]:
    """A partition with an inference, its row, and who owns its content."""
    for entry in store.history.partitions():
        reader = ContentReader(store.objects, store.keyring, store.ledger(), entry.value)
        for row, item in enumerate(reader.all_rows()):
            if item.line["kind"] == "inference" and "end_user" in item.line.get("subjects", {}):
                return entry, row, item.line["content"]["owner"]
    raise AssertionError


def erase_one(store: Store) -> None:
    erase(store, Erasing([owner_of(store)[2]]))


def erase_one_segment(store: Store) -> None:
    erase(store, Erasing(segments={owner_of(store)[0].index: [0]}))


def redact_one(store: Store) -> None:
    entry, row, _ = owner_of(store)
    (item,) = ContentReader(store.objects, store.keyring, store.ledger(), entry.value).chosen([row])
    assert item.bytes is not None
    resealing.reseal(store, entry, {row: Redaction(item.bytes[:-20] + b"*" * 20, "third_party")})


def expire_one(store: Store) -> None:
    policy = b"# a policy\n"
    digest = hashlib.sha256(policy).hexdigest()
    assert store.objects.put_if_absent(blob_path(digest), policy)
    body = {"policy": digest, "what": "content", "partitions": [{"partition": owner_of(store)[0].index}]}
    store.append([("retention", body)], by=("privacy",))
    following.follow(store)


def restrict_one(store: Store) -> None:
    body = {"action": "restrict", "subjects": [owner_of(store)[2]], "basis": "accuracy_contested"}
    store.append([("restriction", body)], by=("privacy",))


CASES = {
    "erased": (erase_one, "erasure"),
    "erased by segment": (erase_one_segment, "erasure"),
    "redacted": (redact_one, "reseal"),
    "expired": (expire_one, "retention"),
    "restricted": (restrict_one, "restriction"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_ended_is_shown_as_what_it_is(small: Bank, audit: Audit, case: str) -> None:
    act, entry_type = CASES[case]
    whole, before = small.export(ALL, with_content=True)
    assert set(before.contents) == {"verified"}
    with_store(small, act)

    data, summary = small.export(ALL, with_content=True)
    result = audit(data, "--key", small.log_vkey)

    state = case.split()[0]
    assert summary.contents[state] > 0
    assert summary.records >= before.records
    assert (result.code, result.output["contents"][state]) == (0, summary.contents[state]), result.reasons
    assert any("committed by a key with that role" in words for words in result.output["not_proven"])
    if state != "redacted":
        assert sum(map(len, contents_of(unzip(data)))) < sum(map(len, contents_of(unzip(whole))))
    entries = [json.loads(line) for line in unzip(data)["data/entries.jsonl"].splitlines()]
    without = [item for item in entries if f'"type":"{entry_type}"' not in decoded(item)]
    assert len(without) < len(entries)


def decoded(item: dict[str, str]) -> str:
    return base64.b64decode(item["entry"]).decode()


@pytest.mark.parametrize("case", CASES)
def test_without_the_entry_it_is_not_explained(small: Bank, audit: Audit, case: str) -> None:
    act, entry_type = CASES[case]
    with_store(small, act)
    files = unzip(small.export(EVERY, with_content=True, order=Order(complete=False, frameworks=()))[0])
    lines = files["data/entries.jsonl"].splitlines(keepends=True)
    gone = {json.loads(line)["index"] for line in lines if f'"type":"{entry_type}"' in decoded(json.loads(line))}
    kept = [line for line in lines if json.loads(line)["index"] not in gone]
    assert len(kept) < len(lines)
    files |= {"data/entries.jsonl": b"".join(kept), "data/erasures.jsonl": b""}
    for index in gone:
        del files[f"data/proofs/{index}.tlog-proof"]
    counts = {**described(files)["counts"], "entries": len(kept)}

    result = audit(rezip(fix_up(files, small.bundle_key, counts=counts)), "--key", small.log_vkey)

    expected = {"redacted": 1, "restricted": 3}.get(case, 5)
    assert result.code == expected, result.reasons
