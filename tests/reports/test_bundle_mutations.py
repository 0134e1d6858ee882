"""Whatever is changed in a bundle is found, also by a forger who brings sums and attestation into line.

And where it is not found, because no signature can cover it, the verifier says so: that is tested too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.erasing import Erasing, erase
from ledger.store import Store
from replay.catalog import opened
from reports import holds
from reports.sampling.drawing import SamplingRequest, Seed
from reports.selection.predicates import ModelSelection, PeriodSelection
from reports.standalone import verify
from tests.fixtures_stores import SAMPLE_LOGS
from tests.reports.bundle_changes import edit_list, edit_record
from tests.reports.bundle_mutations import UNSIGNED, Mutation, mutations
from tests.reports.bundles import LEAN, Bank, Verdict, check, fix_up, new_bank, rezip, unzip

Audit = Callable[..., Verdict]
EVERY = PeriodSelection(None, None)
ORDERS = {
    "a session with its content": (None, True, LEAN),
    "all of a model, and that it is all": (ModelSelection("mira-7b"), True, replace(LEAN, complete=True)),
    "a sample": (EVERY, True, replace(LEAN, sampling=SamplingRequest(Seed("nonce", "5 2 6 1"), 12, "kind"))),
}


@pytest.fixture(scope="module")
def bundles(bank: Bank, content_bundle: bytes) -> dict[str, bytes]:
    """Bundles of several sorts, which have every sort of file between them."""
    made = {"a session with its content": content_bundle}
    for name, (selection, with_content, order) in ORDERS.items():
        if selection is not None:
            made[name] = bank.export(selection, with_content=with_content, order=order)[0]
    return made


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bank, bytes]:
    """A store in which somebody looked, somebody was erased and something is held; and a bundle that says so."""
    bank = new_bank(tmp_path_factory.mktemp("busy"), SAMPLE_LOGS / "mira" / "2026-W40.jsonl")
    bank.export(ModelSelection("mira-7b"), with_content=True)
    with Store.open(bank.settings) as store, opened(store) as catalog:
        store.seal()
        (owner,) = catalog.connection.execute("SELECT min(subject) FROM subject_runs").fetchone() or ("",)
        erase(store, Erasing([owner]))
        holds.add(store, holds.Wanted(session=bank.session), "audit")
        store.publish()
    return bank, bank.export(EVERY, with_content=True)[0]


def unnoticed(bundle: bytes, bank: Bank, made: list[Mutation], tmp_path: Path) -> list[str]:
    """Changes with a meaning that were not found, or found elsewhere."""
    missed = []
    for mutation in made:
        result = check(mutation.data, tmp_path, bank.log_vkey)
        named = [f["object"] for f in result.findings if f["verdict"] != verify.UNPINNED]
        is_found = result.exit_code not in (0, 6) and any(name.startswith(mutation.where) for name in named)
        if mutation.changes_meaning and not is_found:
            missed.append(f"{mutation.name}: {result.verdict}, {named[:5]} instead of {mutation.where}")
    return missed


@pytest.mark.parametrize("sort", ORDERS)
def test_every_change_is_found_and_its_file_and_row_named(
    bank: Bank, bundles: dict[str, bytes], sort: str, tmp_path: Path
) -> None:
    made = list(mutations(bundles[sort], 20261124, 90))

    assert len({mutation.name.split()[0] for mutation in made}) > 20
    assert unnoticed(bundles[sort], bank, made, tmp_path) == []


@pytest.mark.parametrize("sort", ORDERS)
def test_what_the_proofs_show_is_found_whoever_attests_to_the_change(
    bank: Bank, bundles: dict[str, bytes], sort: str, tmp_path: Path
) -> None:
    """The store's own key for bundles signs it: nothing is left to find it by but the log."""
    made = list(mutations(bundles[sort], 7, 60, bank.bundle_key))

    assert unnoticed(bundles[sort], bank, made, tmp_path) == []


def test_accesses_erasures_and_holds_are_those_of_the_log(busy: tuple[Bank, bytes], tmp_path: Path) -> None:
    bank, bundle = busy
    files = unzip(bundle)
    assert all(files[f"data/{name}.jsonl"] for name in ("accesses", "erasures", "holds"))
    assert check(bundle, tmp_path, bank.log_vkey).exit_code == 0

    assert unnoticed(bundle, bank, list(mutations(bundle, 3, 60, bank.bundle_key)), tmp_path) == []


def test_the_changes_cover_every_sort_of_file(bundles: dict[str, bytes], busy: tuple[Bank, bytes]) -> None:
    """What no bundle here has: a timestamp token, and a proof for a pin."""
    names = {name for bundle in (*bundles.values(), busy[1]) for name in unzip(bundle)}
    sorts = {name.rsplit("/", 1)[0] if name.startswith(("data/proofs", "data/content/")) else name for name in names}
    known = {*verify.TAGS, *verify.VIEWS, *verify._OF_BUNDLES, *verify._OF_BOTH, verify.CONTENT, verify.REPLAY}
    known |= {verify.SAMPLING, verify.SAMPLE, "data/proofs", "data/content", *(f"data/{n}" for n in verify._UNCHECKED)}

    assert known - sorts <= {
        "attestation.tsr",
        "data/consistency.json",
        "data/controls.json",
        "data/controls.xlsx",
        "data/oscal-assessment-results.json",
        "data/queries.sql",
        "data/tie-out.csv",
    }


def test_a_changed_value_is_found_in_the_line_where_it_stands(bank: Bank, content_bundle: bytes, audit: Audit) -> None:
    change = edit_record(unzip(content_bundle), random.Random(1))
    assert change is not None
    (where,) = change.where

    result = audit(rezip(fix_up(change.files, bank.bundle_key)), "--key", bank.log_vkey)

    assert (result.code, result.verdicts) == (1, {"tampered", "unpinned"})
    found = [f["object"] for f in result.output["findings"] if f["verdict"] == "tampered"]
    assert found[0] == where
    assert all(name.startswith("data/replay.jsonl, line ") for name in found[1:]), "whose record is not there now"
    assert ", row " in where


def test_a_generator_draws_the_same_changes_again(content_bundle: bytes) -> None:
    first, second = ([each.name for each in mutations(content_bundle, 5, 30)] for _ in range(2))

    assert first == second
    assert first != [each.name for each in mutations(content_bundle, 6, 30)]


def test_a_list_that_an_attestation_alone_covers_is_found_by_it(
    bank: Bank, content_bundle: bytes, audit: Audit
) -> None:
    """Arranged words of a replay are the exporter's: with the store's own key they could be others."""
    rng, files = random.Random(4), unzip(content_bundle)
    change = next(c for c in iter(lambda: edit_list(files, rng), 0) if c is not None and not c.proven)

    assert "attestation.dsse.json" in audit(rezip(fix_up(change.files)), "--key", bank.log_vkey).reasons


@pytest.mark.parametrize("name", [name for name in UNSIGNED if name not in ("bag-info.txt", "attestation.tsr")])
def test_what_no_signature_covers_is_said_to_be_uncovered(
    bank: Bank, content_bundle: bytes, audit: Audit, name: str
) -> None:
    files = unzip(content_bundle)
    result = audit(rezip(fix_up({**files, name: files[name][:3] + b"?" + files[name][4:]})), "--key", bank.log_vkey)

    assert result.code == 0, result.reasons
    assert any(name in words and "no signature covers" in words for words in result.output["not_proven"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_of_the_archive_is_found_or_changes_no_file(
    bank: Bank, session_bundle: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(session_bundle) - 1))
    changed = bytearray(session_bundle)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))

    result = check(bytes(changed), tmp_path, bank.log_vkey)

    assert result.exit_code in (0, 1, 5)
    if result.exit_code == 0:
        assert unzip(bytes(changed)) == unzip(session_bundle)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_a_truncated_archive_is_found(bank: Bank, session_bundle: bytes, tmp_path: Path, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(session_bundle) - 1))

    assert check(session_bundle[:end], tmp_path, bank.log_vkey).exit_code == (1 if end else 4)
