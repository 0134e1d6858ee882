"""Revocable bundles from end to end: sealed for whoever has no grant, opened with one, and checked like any content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import FormatError, GrantRefusedError, UsageError
from replay import access
from reports.exports import sealed_content
from reports.exports.sealed_bundle import open_sealed
from reports.standalone import verify
from tests.reports.bundles import Files, rezip, unzip
from tests.reports.desk import ANA, BEN, Sealed, found, hand_out, make_desk, soon

SAID = b"What is my limit?"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    return hand_out(make_desk(folder / "desk"), folder / "bundle.zip")


def test_without_a_grant_everything_is_verified_and_nothing_is_read(bundle: Sealed) -> None:
    result = bundle.check()
    files = unzip(bundle.path.read_bytes())

    assert (result.verdict, found(result)) == (verify.INTACT, [])
    assert result.checked["sealed contents"] == 5
    assert all(SAID not in data and ANA.encode() not in data for data in files.values())
    assert all(b"row_key" not in data for name, data in files.items() if name.startswith("data/"))
    assert json.loads(files["data/bundle.json"])["export"] == bundle.item.export


def test_a_disclosed_bundle_of_the_same_store_does_hold_what_was_said(bundle: Sealed, tmp_path: Path) -> None:
    """So that the test above looks for the right words."""
    other = hand_out(make_desk(tmp_path / "desk"), tmp_path / "disclosed.zip", revocable=False)
    files = unzip(other.path.read_bytes())

    assert any(SAID in data for name, data in files.items() if name.startswith("data/content/"))
    with pytest.raises(GrantRefusedError, match="not revocable"):
        other.grant(tmp_path)
    with pytest.raises(GrantRefusedError, match="holds no sealed content"):
        open_sealed(other.path, bundle.grant(tmp_path), other.check())


def test_a_grant_opens_all_of_it(bundle: Sealed, tmp_path: Path) -> None:
    opening, result = bundle.opened(tmp_path)

    assert opening is not None
    assert (opening.opened, opening.closed) == (5, 0)
    assert found(result) == []


def test_a_grant_after_an_erasure_leaves_the_person_closed(tmp_path: Path) -> None:
    bundle = hand_out(make_desk(tmp_path / "desk"), tmp_path / "bundle.zip")
    bundle.desk.installation.erase(ANA)
    opening, result = bundle.opened(tmp_path)

    assert opening is not None
    assert (opening.opened, opening.closed) == (2, 3)
    assert result.verdict == verify.INTACT


def test_a_bundle_about_one_person_closes_for_good(tmp_path: Path) -> None:
    bundle = hand_out(make_desk(tmp_path / "desk"), tmp_path / "bundle.zip", person=BEN)
    bundle.grant(tmp_path)
    bundle.desk.installation.erase(BEN)

    with pytest.raises(GrantRefusedError, match="nothing in this export can be opened"):
        bundle.grant(tmp_path)


def test_an_expired_grant_opens_nothing(bundle: Sealed, tmp_path: Path) -> None:
    with pytest.raises(GrantRefusedError, match="has expired"):
        bundle.opened(tmp_path, now=soon(30))


def test_a_grant_for_another_bundle_opens_nothing(bundle: Sealed, tmp_path: Path) -> None:
    other = hand_out(bundle.desk, tmp_path / "other.zip")

    with pytest.raises(GrantRefusedError, match="for another export"):
        open_sealed(bundle.path, other.grant(tmp_path), bundle.check())


def test_what_is_no_grant_is_called_that(bundle: Sealed, tmp_path: Path) -> None:
    path = tmp_path / "grant.json"
    with pytest.raises(UsageError, match="cannot read"):
        open_sealed(bundle.path, path, bundle.check())
    path.write_text('{"keys":{}}')
    with pytest.raises(FormatError):
        open_sealed(bundle.path, path, bundle.check())


def test_of_a_damaged_bundle_nothing_is_opened(bundle: Sealed, tmp_path: Path) -> None:
    files = unzip(bundle.path.read_bytes())
    damaged = bundle._replace(path=tmp_path / "damaged.zip")
    damaged.path.write_bytes(rezip({**files, "data/queries.sql": b"-- another\n"}))
    opening, result = damaged.opened(tmp_path)

    assert opening is None
    assert result.verdict == verify.TAMPERED


# ---- an exporter who puts something else under the seal: verify.py cannot see it, whoever opens it does


Alter = Callable[[bytes], bytes]


def as_it_is(data: bytes) -> bytes:
    return data


def richer(data: bytes) -> bytes:
    """Another answer of the same length."""
    assert b"500 a month" in data
    return data.replace(b"500 a month", b"900 a month")


def put_under_the_seal(bundle: Sealed, files: Files, content: Alter, parts: Alter) -> Files:
    """Something else as the first record's content, under the very key that a grant will have for it."""
    listed = [json.loads(line) for line in files["data/content.jsonl"].splitlines()]
    first = next(item for item in listed if "offset" in item)
    name, start, end = f"data/content/{first['partition']}.bin", first["offset"], first["offset"] + first["size"]
    record, export = bytes.fromhex(first["record"]), bytes.fromhex(bundle.item.export or "")
    with bundle.desk.opened() as (store, _):
        receipt = access.record(store, "test", "a test", {})
        entry = store.history.entries[first["partition"]].value
        (row,) = store.reveal(receipt, entry, range(first["row"], first["row"] + 1))
    assert row.row_key is not None
    key = sealed_content.record_key(export, record, row.row_key)
    true = sealed_content.unseal(export, record, key, files[name][start:end])
    assert b'"verbatim":true' in true.parts
    other = sealed_content.seal(export, record, row.row_key, parts(true.parts), content(true.content))
    assert len(other) == end - start
    return {**files, name: files[name][:start] + other + files[name][end:]}


@pytest.mark.parametrize(
    ("content", "parts", "reason"),
    [
        (richer, richer, "the sealed content is not the one that the record commits to"),
        (as_it_is, richer, "a part that is said to be the record's own words is not in its content"),
        (as_it_is, lambda parts: b"?" * len(parts), "not JSON"),
        (as_it_is, lambda parts: parts.replace(b"verbatim", b"verbatin"), "is malformed"),
    ],
    ids=["another content", "other words", "no JSON", "another shape"],
)
def test_what_is_not_the_record_is_found_when_it_is_opened(
    bundle: Sealed, tmp_path: Path, content: Alter, parts: Alter, reason: str
) -> None:
    forged = bundle.changed(lambda files: put_under_the_seal(bundle, files, content, parts), tmp_path)
    assert found(forged.check()) == []
    opening, result = forged.opened(tmp_path)

    assert opening is not None
    assert opening.opened == 4
    (finding,) = found(result)
    assert finding["verdict"] == verify.TAMPERED
    assert finding["object"].startswith("data/content.jsonl, row 0 of partition ")
    assert reason in finding["reason"]


def test_sealed_contents_that_changed_places_do_not_open(bundle: Sealed, tmp_path: Path) -> None:
    """Each is bound to its record: two of the same length in each other's place are both found."""

    def swap(files: Files) -> Files:
        listed = [json.loads(line) for line in files["data/content.jsonl"].splitlines()]
        first, second = next(
            (one, two)
            for number, one in enumerate(listed)
            for two in listed[number + 1 :]
            if (one["size"], one["partition"]) == (two["size"], two["partition"])
        )
        name, size = f"data/content/{first['partition']}.bin", first["size"]
        data = bytearray(files[name])
        one, two = (slice(item["offset"], item["offset"] + size) for item in (first, second))
        data[one], data[two] = data[two], data[one]
        assert bytes(data) != files[name]
        return {**files, name: bytes(data)}

    opening, result = bundle.changed(swap, tmp_path).opened(tmp_path)

    assert opening is not None
    assert opening.opened == 3
    assert [finding["verdict"] for finding in found(result)] == [verify.TAMPERED] * 2
