"""RFC 3161: a token is asked for, checked before it is used, and OpenSSL says the same of it as this program."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import ConfigError, EvidenceError, FormatError, TamperedError, TimestampError, UnverifiableError
from ledger.settings import Settings
from reports.bundle import attestation, timestamping
from reports.bundle.checking import check_timestamp
from reports.bundle.timestamping import check_token, read_roots, timestamp
from reports.exports import register as exports
from reports.standalone import verify
from tests.reports.authority import Answer, Authority, make_authority, serving
from tests.reports.bundles import unzip
from tests.reports.desk import Desk, Sealed, hand_out, make_desk
from tests.reports.test_attestation import attested

DATA = attested()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority of the very same name."""
    return make_authority(tmp_path_factory.mktemp("stranger"))


def settings(url: str | None, roots: Path | None) -> Settings:
    paths = dict.fromkeys(("writer_key", "spool", "cache", "pin"), "unused")
    return Settings.model_validate(
        {"store": "s", "keyring": "sqlite:///k", "kek": "env:K", **paths, "tsa_url": url, "tsa_roots": roots}
    )


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    with serving(authority.answer) as url:
        made = timestamp(settings(url, authority.ca), DATA)
    assert made is not None
    return made


def test_without_an_authority_there_is_no_timestamp() -> None:
    assert timestamp(settings(None, None), DATA) is None


def test_openssl_verifies_the_token_and_no_other_bytes(authority: Authority, token: bytes) -> None:
    """As README.txt tells the auditor: openssl ts -verify -data attestation.dsse.json -in attestation.tsr -CAfile …"""
    assert authority.verifies(DATA, token)
    assert not authority.verifies(DATA.replace(b"payload", b"Payload"), token)


def test_the_token_says_when_and_by_whom(authority: Authority, token: bytes) -> None:
    stamp = check_token(token, DATA, read_roots(authority.ca))

    assert stamp.authority == "CN=Example Timestamps"
    assert stamp.at.endswith("Z")
    assert stamp.at[:10] >= "2026-01-01"


def test_other_bytes_are_not_what_was_stamped(authority: Authority, token: bytes) -> None:
    with pytest.raises(TamperedError, match="over other bytes"):
        check_token(token, DATA + b" ", read_roots(authority.ca))


def test_another_authority_of_the_same_name_is_not_trusted(stranger: Authority, token: bytes) -> None:
    with pytest.raises(UnverifiableError, match="does not verify"):
        check_token(token, DATA, read_roots(stranger.ca))
    assert not stranger.verifies(DATA, token)


def test_a_changed_byte_of_a_token_is_refused_wherever_openssl_refuses_it(authority: Authority, token: bytes) -> None:
    """Not the other way round: what nothing signs (a status text, how DER was written) may differ."""
    roots = read_roots(authority.ca)
    refused = 0
    for position in range(0, len(token), 97):
        changed = bytearray(token)
        changed[position] ^= 0x41
        try:
            check_token(bytes(changed), DATA, roots)
        except EvidenceError:
            refused += 1
            continue
        assert authority.verifies(DATA, bytes(changed)), f"byte {position}"
    assert refused > len(token) / 97 / 2


@pytest.mark.parametrize("data", [b"", b"garbage", b"0\x82\xff\xff", b"<html>not found</html>"])
def test_what_is_no_token_is_called_that(authority: Authority, data: bytes) -> None:
    with pytest.raises(FormatError, match="no RFC 3161 response"):
        check_token(data, DATA, read_roots(authority.ca))


# ---- an authority that answers badly


def refused(authority: Authority, answer: Answer, words: str, **serve: object) -> None:
    with serving(answer, **serve) as url, pytest.raises(TimestampError, match=words):  # type: ignore[arg-type]
        timestamp(settings(url, authority.ca), DATA, timeout=1.0 if "drip" in serve else 10.0)


def test_an_answer_by_another_authority_is_refused(authority: Authority, stranger: Authority) -> None:
    refused(authority, stranger.answer, "does not verify")


def test_a_token_that_was_made_earlier_is_refused(authority: Authority) -> None:
    """Over the same bytes, by the right authority: but not the answer to this request, so it says an earlier time."""
    earlier = authority.answer(authority.query(DATA))
    check_token(earlier, DATA, read_roots(authority.ca))

    refused(authority, lambda _: earlier, "[Nn]once")


def test_a_token_over_other_bytes_is_refused(authority: Authority) -> None:
    other = authority.answer(authority.query(b"other bytes"))

    refused(authority, lambda _: other, "over other bytes")


def test_a_refusal_of_the_authority_is_one_here(authority: Authority) -> None:
    """The DER of a TimeStampResp with status 2 (rejection), and nothing else."""
    refused(authority, lambda _: bytes.fromhex("30053003020102"), "refused .status 2")


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "no RFC 3161"), (b"<html>sorry</html>", "no RFC 3161"), (b"\0" * (1 << 20) + b"\0", "more than")],
    ids=["nothing", "a page", "too much"],
)
def test_garbage_is_refused(authority: Authority, answer: bytes, words: str) -> None:
    refused(authority, lambda _: answer, words)


def test_an_authority_that_fails_or_sends_elsewhere_is_refused(authority: Authority) -> None:
    refused(authority, lambda _: b"", "HTTP status 503", status=503)
    refused(authority, authority.answer, "HTTP status 307", status=307, redirect="http://127.0.0.1:9/tsa")


def test_one_that_sends_a_byte_now_and_then_is_not_waited_for(authority: Authority) -> None:
    """Each byte comes in time, the answer does not."""
    refused(authority, lambda _: b"0" * 4000, "in time", drip=0.2)


def test_one_that_nobody_serves_is_named_as_out_of_reach(authority: Authority) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/tsa"
        with pytest.raises(TimestampError, match="cannot be reached"):
            timestamp(settings(url, authority.ca), DATA)


# ---- settings that are no use


@pytest.mark.parametrize(
    "url", ["http://tsa.example/", "ftp://tsa.example/", "tsa.example", "https://", "file:///etc/passwd", "https://[x"]
)
def test_only_https_leaves_the_machine(authority: Authority, url: str) -> None:
    with pytest.raises(ConfigError, match="tsa_url"):
        timestamp(settings(url, authority.ca), DATA)


def test_an_authority_whose_root_nobody_named_is_not_asked(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(query: bytes) -> bytes:
        asked.append(query)
        return b""

    broken = tmp_path / "roots.pem"
    broken.write_text("no certificate")
    with serving(answer) as url:
        for roots, words in ((None, "no tsa_roots"), (tmp_path / "none", "cannot read"), (broken, "no certificates")):
            with pytest.raises(ConfigError, match=words):
                timestamp(settings(url, roots), DATA)
    assert asked == []


def test_the_authority_is_shown_a_hash_only(authority: Authority) -> None:
    seen: list[bytes] = []

    def answer(query: bytes) -> bytes:
        seen.append(query)
        return authority.answer(query)

    with serving(answer) as url:
        timestamp(settings(url, authority.ca), DATA)

    assert len(seen[0]) < 100
    assert attestation.SUBJECT.encode() not in seen[0]
    assert timestamping.MAX_TOKEN == 1 << 20


# ---- a bundle that was timestamped


@pytest.fixture(scope="module")
def stamped(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("stamped")
    desk = make_desk(folder / "desk")
    with serving(authority.answer) as url:
        changes = {"tsa_url": url, "tsa_roots": authority.ca}
        asking = replace(desk.installation, settings=desk.installation.settings.model_copy(update=changes))
        return hand_out(Desk(asking), folder / "bundle.zip")


def test_a_bundle_holds_a_timestamp_that_openssl_verifies(stamped: Sealed, authority: Authority) -> None:
    files = unzip(stamped.path.read_bytes())

    assert authority.verifies(files[attestation.FILE], files[timestamping.FILE])
    assert not authority.verifies(files[attestation.FILE] + b"\n", files[timestamping.FILE])


def test_verify_bundle_says_when_it_was_stamped_and_by_whom(stamped: Sealed, authority: Authority) -> None:
    result = stamped.check()
    before = list(result.not_proven)
    stamp = check_timestamp(stamped.path, authority.ca, result)

    assert stamp is not None
    assert stamp.authority == "CN=Example Timestamps"
    assert result.verdict == verify.INTACT
    assert set(before) - set(result.not_proven) == {verify.NOT_PROVEN["token"]}


def test_a_timestamp_under_another_root_is_unverifiable(stamped: Sealed, stranger: Authority) -> None:
    result = stamped.check()

    assert check_timestamp(stamped.path, stranger.ca, result) is None
    assert result.verdict == verify.UNVERIFIABLE


def test_a_timestamp_of_another_bundle_is_no_timestamp_of_this_one(
    stamped: Sealed, authority: Authority, tmp_path: Path
) -> None:
    """Nothing signs which token belongs to a bundle but the token itself."""
    other = authority.answer(authority.query(b"another attestation"))
    changed = stamped.changed(lambda files: {**files, timestamping.FILE: other}, tmp_path)
    result = changed.check()
    assert result.verdict == verify.INTACT

    assert check_timestamp(changed.path, authority.ca, result) is None
    assert result.verdict == verify.TAMPERED


def test_a_timestamp_that_was_taken_out_is_missed_by_whoever_asks_for_it(
    stamped: Sealed, authority: Authority, tmp_path: Path
) -> None:
    without = stamped.changed(lambda files: {n: d for n, d in files.items() if n != timestamping.FILE}, tmp_path)
    result = without.check()
    assert result.verdict == verify.INTACT

    assert check_timestamp(without.path, authority.ca, result) is None
    assert result.verdict == verify.UNVERIFIABLE


def test_an_authority_that_fails_lets_no_bundle_out(authority: Authority, tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "desk")
    with serving(lambda _: b"out of order", status=500) as url:
        changes = {"tsa_url": url, "tsa_roots": authority.ca}
        asking = replace(desk.installation, settings=desk.installation.settings.model_copy(update=changes))
        with pytest.raises(TimestampError, match="HTTP status 500"):
            hand_out(Desk(asking), tmp_path / "bundle.zip")
    with desk.installation.open() as store:
        assert exports.exports(store) == []
    assert not (tmp_path / "bundle.zip").exists()
