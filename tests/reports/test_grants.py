"""A grant opens what can still be opened, for a time; it follows every ending of content, and nobody else makes one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import notes
from ledger.access import Receipt
from ledger.errors import (
    AccessNotRecordedError,
    ConfigError,
    EvidenceError,
    FormatError,
    GrantRefusedError,
    LostError,
    TamperedError,
    UsageError,
)
from ledger.expiring import Expiring, expire
from ledger.resealing import Redaction, reseal
from ledger.segments import commitment_of
from ledger.store import load_signer
from ledger.verify import Verdict
from reports import restrictions
from reports.exports.grants import MAX_DAYS, Grant, grant, holders, read_grant
from reports.exports.sealed_content import fits, record_key, seal, unseal
from tests.reports.desk import ANA, BEN, Desk, Handed, make_desk, soon

EXPORT, RECORD, ROW_KEY = bytes(range(16)), bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "desk")


def bundle_keys(desk: Desk) -> list[notes.Verifier]:
    with desk.installation.open() as store:
        return holders({entry.index: entry.value for entry in store.history.entries})


def read(desk: Desk, handed: Handed, note: bytes, **more: Any) -> Grant:
    with desk.installation.open() as store:
        origin = store.history.origin
    assert handed.item.export is not None
    return read_grant(note, bundle_keys(desk), export=handed.item.export, origin=origin, **more)


def opened(desk: Desk, handed: Handed, found: Grant) -> dict[bytes, bytes]:
    """The contents that a recipient of the bundle opens with a grant, each checked against its record."""
    export, contents = bytes.fromhex(handed.item.export or ""), {}
    for record, sealed in handed.sealed.items():
        key = found.key(record)
        if key is not None:
            item = unseal(export, record, key, sealed)
            commitment = handed.contents[record].line["content"]["commitment"]
            assert fits(item, export, record, key, commitment)
            contents[record] = item.content
    return contents


def of_person(desk: Desk, handed: Handed, person: str) -> set[bytes]:
    reference = desk.reference(person)
    return {record for record, row in handed.contents.items() if row.line["content"]["owner"] == reference}


def test_a_grant_opens_what_was_sealed(desk: Desk) -> None:
    handed = desk.export()
    made = desk.grant(handed.item, soon())
    contents = opened(desk, handed, read(desk, handed, made.note))

    assert contents == {record: row.bytes for record, row in handed.contents.items()}
    assert (made.opened, made.withheld) == (len(contents), {})
    assert desk.installation.verify("deep").verdict is Verdict.INTACT


def test_after_an_erasure_a_new_grant_lacks_the_person(desk: Desk) -> None:
    handed = desk.export()
    ana = of_person(desk, handed, ANA)
    desk.installation.erase(ANA)
    made = desk.grant(handed.item, soon())

    assert len(ana) == 3
    assert made.withheld == {"erased": 3}
    assert set(opened(desk, handed, read(desk, handed, made.note))) == handed.sealed.keys() - ana


def test_whoever_kept_a_key_still_opens_what_was_erased(desk: Desk) -> None:
    """What revoking cannot do: it ends what is fetched later, not what was fetched."""
    handed = desk.export()
    kept = read(desk, handed, desk.grant(handed.item, soon()).note)
    ana = of_person(desk, handed, ANA)
    desk.installation.erase(ANA)

    assert ana <= opened(desk, handed, kept).keys()


def test_what_is_restricted_stays_closed_until_it_no_longer_is(desk: Desk) -> None:
    handed = desk.export()
    ben = [desk.reference(BEN)]
    with desk.installation.open() as store:
        restrictions.restrict(store, ben, "art18-1-a")
    during = desk.grant(handed.item, soon())
    with desk.installation.open() as store:
        restrictions.lift(store, ben, "art18-1-a")
    after = desk.grant(handed.item, soon())

    assert during.withheld == {"restricted": 2}
    assert (after.opened, after.withheld) == (5, {})


def redact_first_row(desk: Desk) -> None:
    with desk.installation.open() as store:
        reseal(store, store.history.partitions()[0], {0: Redaction(b'{"taken":"out"}', "third_party")})
        store.publish()


def test_what_was_redacted_since_is_whole_in_the_bundle_and_closes(desk: Desk) -> None:
    handed = desk.export()
    redact_first_row(desk)
    made = desk.grant(handed.item, soon())

    assert made.withheld == {"redacted since": 1}
    assert len(opened(desk, handed, read(desk, handed, made.note))) == 4


def test_what_was_redacted_before_opens_as_it_was_handed_out(desk: Desk) -> None:
    redact_first_row(desk)
    handed = desk.export()
    made = desk.grant(handed.item, soon())
    found = read(desk, handed, made.note)
    (redacted,) = [record for record, row in handed.contents.items() if row.state == "redacted"]
    key = found.key(redacted)

    assert key is not None
    assert unseal(bytes.fromhex(handed.item.export or ""), redacted, key, handed.sealed[redacted]).content == (
        b'{"taken":"out"}'
    )
    redact_first_row(desk)
    assert desk.grant(handed.item, soon()).withheld == {"redacted since": 1}


def test_what_has_expired_stays_closed(desk: Desk) -> None:
    handed = desk.export()
    with desk.installation.open() as store:
        first, second = store.history.partitions()[:2]
        expire(store, Expiring(b"policy", {first.index: ()}))
    made = desk.grant(handed.item, soon())
    assert made.withheld == {"expired": first.value["rows"]}

    with desk.installation.open() as store:
        expire(store, Expiring(b"policy", {second.index: ()}))
    with pytest.raises(GrantRefusedError, match="nothing in this export can be opened"):
        desk.grant(handed.item, soon())


@pytest.mark.parametrize(("days", "words"), [(-1, "in the future"), (MAX_DAYS + 1, "at most 90 days")])
def test_a_grant_ends_and_soon(desk: Desk, days: int, words: str) -> None:
    handed = desk.export()
    with pytest.raises(UsageError, match=words):
        desk.grant(handed.item, soon(days))


def test_only_sealed_content_is_granted(desk: Desk) -> None:
    with pytest.raises(GrantRefusedError, match="not revocable"):
        desk.grant(desk.export(revocable=False).item, soon())


def test_without_an_access_record_there_is_no_grant(desk: Desk) -> None:
    handed = desk.export()
    with desk.opened() as (_, listed), pytest.raises(AccessNotRecordedError):
        grant(listed, Receipt("0" * 32, 1), handed.item, soon())


def test_a_key_that_the_log_does_not_know_signs_none(desk: Desk, tmp_path: Path) -> None:
    handed = desk.export()
    stranger = tmp_path / "stranger.skey"
    stranger.write_text(notes.Signer.generate("stranger").skey())
    settings = desk.installation.settings.model_copy(update={"bundle_key": stranger})
    other = Desk(type(desk.installation)(settings, desk.installation.config))

    with pytest.raises(ConfigError, match="does not hold the role bundle"):
        other.grant(handed.item, soon())


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_list_of_rows_that_is_damaged_gives_no_grant(desk: Desk, damage: str) -> None:
    handed = desk.export()
    with desk.installation.open() as store:
        stated = store.history.entries[handed.item.entry].value["rows"]
        path = desk.installation.folder / "ledger" / "blob" / stated["blob"]
        data = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(data.replace(b'"ranges":[[0,', b'"ranges":[[1,', 1))
        assert path.read_bytes() != data

    with pytest.raises(LostError if damage == "gone" else TamperedError):
        desk.grant(handed.item, soon())


# ---- reading one


class Given(NamedTuple):
    """An export and a grant for it, with what its reader knows of the log."""

    desk: Desk
    handed: Handed
    note: bytes
    keys: list[notes.Verifier]
    origin: str

    def read(self, note: bytes, now: str | None = None) -> Grant:
        return read_grant(note, self.keys, export=self.handed.item.export or "", origin=self.origin, now=now)

    def signer(self, key: str = "bundle") -> notes.Signer:
        return load_signer(getattr(self.desk.installation.settings, f"{key}_key"))


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Given:
    desk = make_desk(tmp_path_factory.mktemp("granted") / "desk")
    handed = desk.export()
    note = desk.grant(handed.item, soon()).note
    with desk.installation.open() as store:
        origin = store.history.origin
    return Given(desk, handed, note, bundle_keys(desk), origin)


def test_an_expired_grant_is_refused_by_the_readers_clock(granted: Given) -> None:
    assert granted.read(granted.note, now=soon(6)).keys
    with pytest.raises(GrantRefusedError, match="has expired"):
        granted.read(granted.note, now=soon(8))


def test_a_grant_of_another_export_is_refused(granted: Given) -> None:
    again = granted.desk.export()

    with pytest.raises(GrantRefusedError, match="for another export"):
        granted._replace(handed=again).read(granted.note)
    record = next(iter(granted.handed.sealed))
    key = granted.read(granted.note).key(record)
    assert key is not None
    with pytest.raises(TamperedError):
        unseal(bytes.fromhex(again.item.export or ""), record, key, again.sealed[record])


Change = Callable[[dict[str, Any]], None]


def longer(value: dict[str, Any]) -> None:
    value["expires_at"] = "2099-01-01T00:00:00Z"


def resigned(note: bytes, change: Change, signer: notes.Signer) -> bytes:
    kind, origin, line, _ = notes.parse_note(note).text.decode().split("\n")
    value = json.loads(line)
    change(value)
    return notes.sign_note(
        "\n".join([kind, origin, json.dumps(value, sort_keys=True, separators=(",", ":")), ""]), signer
    )


def test_a_longer_time_does_not_verify(granted: Given) -> None:
    expires = granted.read(granted.note).expires_at
    forged = granted.note.replace(expires.encode(), f"2099{expires[4:]}".encode())
    assert forged != granted.note

    with pytest.raises(GrantRefusedError, match="signature does not verify"):
        granted.read(forged)


def test_a_key_of_the_same_name_signs_no_grant(granted: Given) -> None:
    (rightful,) = granted.keys

    with pytest.raises(GrantRefusedError, match="not signed by a key"):
        granted.read(resigned(granted.note, longer, notes.Signer(rightful.name, bytes(32))))


@pytest.mark.parametrize("key", ["writer", "certificate", "log"])
def test_keys_of_other_roles_sign_no_grant(granted: Given, key: str) -> None:
    with pytest.raises(GrantRefusedError, match="not signed by a key"):
        granted.read(resigned(granted.note, longer, granted.signer(key)))


def test_a_retired_key_is_none() -> None:
    signer = notes.Signer.generate("log/bundle")
    enrol = {"type": "key", "action": "enrol", "vkey": signer.vkey, "roles": ["bundle"]}

    assert holders({1: enrol}) == [signer.verifier]
    assert holders({1: enrol, 9: {"type": "key", "action": "retire", "vkey": signer.vkey}}) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["keys"].update({"0" * 64: "AAAA"}),
        lambda value: value["keys"].update({"../x": base64.b64encode(bytes(32)).decode()}),
        lambda value: value.update(more=1),
        lambda value: value.update(expires_at="tomorrow"),
        lambda value: value.update(expires_at="2099-01-01T00:00:00+02:00"),
        lambda value: value.pop("issued_at"),
        lambda value: value.update({"_": "evidence/grant/2"}),
    ],
)
def test_a_grant_of_another_shape_is_refused_though_it_is_signed(granted: Given, change: Change) -> None:
    assert granted.read(resigned(granted.note, longer, granted.signer())).expires_at == "2099-01-01T00:00:00Z"
    with pytest.raises(FormatError):
        granted.read(resigned(granted.note, change, granted.signer()))


@given(st.data())
def test_no_changed_byte_makes_another_grant(granted: Given, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(granted.note) - 1))
    changed = bytearray(granted.note)
    changed[position] ^= data.draw(st.integers(1, 255))

    try:
        found = granted.read(bytes(changed))
    except EvidenceError:
        return
    assert found == granted.read(granted.note)


# ---- sealed content


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_sealed_content_comes_back_with_its_parts(content: bytes, parts: bytes) -> None:
    found = unseal(EXPORT, RECORD, record_key(EXPORT, RECORD, ROW_KEY), seal(EXPORT, RECORD, ROW_KEY, parts, content))

    assert found == (ROW_KEY, parts, content)


def test_it_opens_for_its_export_and_record_alone_and_whole() -> None:
    sealed, key = seal(EXPORT, RECORD, ROW_KEY, b"[]", b"said"), record_key(EXPORT, RECORD, ROW_KEY)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])

    for export, record, data in (
        (bytes(16), RECORD, sealed),
        (EXPORT, bytes(32), sealed),
        (EXPORT, RECORD, changed),
        (EXPORT, RECORD, sealed[:20]),
        (EXPORT, RECORD, b""),
    ):
        with pytest.raises(TamperedError, match="does not open"):
            unseal(export, record, key, data)


def test_a_key_opens_one_record_of_one_export() -> None:
    keys = {record_key(export, record, ROW_KEY) for export in (EXPORT, bytes(16)) for record in (RECORD, bytes(32))}

    assert len(keys) == 4
    assert ROW_KEY not in keys


def test_content_under_a_key_that_does_not_follow_from_its_row_key_does_not_fit() -> None:
    """Else an exporter could put two contents under two keys into one ciphertext, and hand out either key."""
    sealed = seal(EXPORT, RECORD, ROW_KEY, b"[]", b"said")
    key = record_key(EXPORT, RECORD, ROW_KEY)
    found = unseal(EXPORT, RECORD, key, sealed)
    commitment = commitment_of(ROW_KEY, b"said").hex()

    assert fits(found, EXPORT, RECORD, key, commitment)
    assert not fits(found, EXPORT, RECORD, bytes(32), commitment)
    assert not fits(found, EXPORT, RECORD, key, "0" * 64)
