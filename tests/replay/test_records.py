"""A record's proof: from its line up to the signed checkpoint, checked from its bytes alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ledger import canonical
from ledger.errors import EvidenceError, FormatError, NotFoundError, TamperedError, UnverifiableError, UsageError
from ledger.merkle import leaf_hash
from ledger.notes import Signer
from ledger.proofs import TlogProof, parse_proof
from replay.records import RecordProof, check, find_record, find_records, prove

Turn = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def proven(sample: Any) -> tuple[RecordProof, Any]:
    """A proof in a partition of several records, and the log's key."""
    with sample.listed() as (store, opened):
        (record,) = opened.connection.execute(
            "SELECT record_id FROM change_list WHERE source_id = 'chg-2026-0335'"
        ).fetchone() or ("",)
        return prove(opened, find_record(opened, record), store.checkpoint()), sample.installation.log_key


def test_a_proof_is_checked_with_the_log_s_key_alone(proven: tuple[RecordProof, Any]) -> None:
    proof, key = proven

    check(proof.tlog_proof, [key])

    assert proof.record_id == leaf_hash(proof.line).hex()
    assert json.loads(proof.line)["source_id"] == "chg-2026-0335"
    assert proof.rows > 1


def test_every_record_of_the_sample_can_be_proven(sample: Any) -> None:
    with sample.listed() as (store, opened):
        checkpoint, keys = store.checkpoint(), store.history.log_verifiers()
        for number, entry in list(enumerate(opened.partitions()))[::5]:
            place = find_records(opened, [first_record(opened, number)]).popitem()[1]
            proof = prove(opened, place, checkpoint)
            check(proof.tlog_proof, keys)
            assert (place.partition, proof.entry_index) == (number, entry.index)


def first_record(opened: Any, number: int) -> str:
    path = str(opened.mirror.path(opened.partitions()[number].value))
    row = opened.connection.execute(
        "SELECT lower(sha256('\\x00'::BLOB || line)) FROM read_parquet(?) LIMIT 1", [path]
    ).fetchone()
    return str(row[0])


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_a_proof_with_any_byte_changed_is_refused(proven: tuple[RecordProof, Any], flip: int) -> None:
    proof, key = proven

    for at in range(len(proof.tlog_proof)):
        mangled = bytearray(proof.tlog_proof)
        mangled[at] ^= flip
        with pytest.raises(EvidenceError):
            check(bytes(mangled), [key])


def test_a_proof_cut_short_or_with_more_behind_is_refused(proven: tuple[RecordProof, Any]) -> None:
    proof, key = proven

    for length in range(0, len(proof.tlog_proof), 7):
        with pytest.raises(EvidenceError):
            check(proof.tlog_proof[:length], [key])
    with pytest.raises(EvidenceError):
        check(proof.tlog_proof + b"\n", [key])


@pytest.mark.parametrize(
    "change",
    [
        {"_": "evidence/record-proof/2"},
        {"more": 1},
        {"row": "0"},
        {"row": -1},
        {"rows": 10**9},
        {"path": []},
        {"path": None},
        {"path": ["00"]},
        {"path": [1]},
        {"entry": None},
        {"entry": "{}"},
        {"line": 7},
        {"line": "{}"},
    ],
    ids=str,
)
def test_a_proof_that_says_something_else_is_refused(proven: tuple[RecordProof, Any], change: dict[str, Any]) -> None:
    proof, key = proven
    parsed = parse_proof(proof.tlog_proof)
    extra = canonical.encode(canonical.decode(parsed.extra or b"") | change)

    with pytest.raises(EvidenceError):
        check(TlogProof(parsed.index, parsed.hashes, parsed.checkpoint, extra).text(), [key])


@pytest.mark.parametrize("extra", [None, b"[]", b"{}", b'"text"', b"not JSON"])
def test_a_proof_of_something_that_is_no_record_is_refused(
    proven: tuple[RecordProof, Any], extra: bytes | None
) -> None:
    proof, key = proven
    parsed = parse_proof(proof.tlog_proof)

    with pytest.raises(FormatError):
        check(TlogProof(parsed.index, parsed.hashes, parsed.checkpoint, extra).text(), [key])


def test_an_entry_that_is_no_partition_proves_no_record(sample: Any, proven: tuple[RecordProof, Any]) -> None:
    proof, key = proven
    parsed = parse_proof(proof.tlog_proof)
    with sample.listed() as (store, _):
        genesis = store.history.entries[0].data.decode()
    extra = canonical.encode(canonical.decode(parsed.extra or b"") | {"entry": genesis})

    with pytest.raises(EvidenceError):
        check(TlogProof(parsed.index, parsed.hashes, parsed.checkpoint, extra).text(), [key])


def test_another_log_s_key_does_not_verify_it(proven: tuple[RecordProof, Any]) -> None:
    proof, key = proven

    with pytest.raises(UnverifiableError):
        check(proof.tlog_proof, [Signer.generate(key.name).verifier])


def test_a_record_is_named_by_a_unique_beginning_of_its_id(sample: Any, proven: tuple[RecordProof, Any]) -> None:
    record = proven[0].record_id
    with sample.listed() as (_, opened):
        assert find_record(opened, record[:12]).record_id == record
        for text in ("", "abc", record.upper(), f"{record}0", "xyzxyz", "abcdef%"):
            with pytest.raises(UsageError):
                find_record(opened, text)
        with pytest.raises(NotFoundError, match="no record"):
            find_record(opened, "0" * 64)


def test_a_beginning_of_several_ids_is_refused(desk: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ingest(turn("q", "a", id="e1"), turn("q", "b", id="e2"))
    monkeypatch.setattr("replay.records._ID", __import__("re").compile(""))

    with desk.listed() as (_, opened), pytest.raises(NotFoundError, match="several records"):
        find_record(opened, "")


def test_a_record_that_is_committed_but_not_published_has_no_proof_yet(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))
    with desk.listed() as (store, opened):
        old = store.checkpoint()
    desk.ingest(turn("q", "b", id="e2", time="2025-03-02T10:00:00Z"))

    with desk.listed() as (store, opened):
        place = find_records(opened, [first_record(opened, 1)]).popitem()[1]
        with pytest.raises(NotFoundError, match="not published yet"):
            prove(opened, place, old)
        check(prove(opened, place, store.checkpoint()).tlog_proof, [desk.installation.log_key])


def test_a_checkpoint_newer_than_what_was_read_is_caught_up_with(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))
    with desk.listed() as (store, opened):
        desk.ingest(turn("q", "b", id="e2", time="2025-03-02T10:00:00Z"))
        place = find_record(opened, first_record(opened, 0))

        proof = prove(opened, place, store.checkpoint())

    check(proof.tlog_proof, [desk.installation.log_key])


def test_lines_that_were_exchanged_are_not_proven(desk: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog is asked where a record is; what is proven is read and hashed anew."""
    desk.ingest(turn("q", "a", id="e1"), turn("q", "b", id="e2"))
    with desk.listed() as (store, opened):
        place = find_record(opened, first_record(opened, 0))
        entry = opened.partitions()[0]
        monkeypatch.setitem(entry.value, "root", "0" * 64)

        with pytest.raises(TamperedError, match="another root"):
            prove(opened, place, store.checkpoint())
