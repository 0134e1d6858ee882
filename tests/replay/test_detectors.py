"""Detectors find identifiers as people write them, and little else; own patterns cannot stop a scan."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ConfigError
from ledger.keyring.identifiers import Identifier
from ledger.settings import Settings, load
from replay import detectors
from replay.detectors import configured, detect, mention_form
from replay.detectors.values import is_iban, is_luhn

HV = {"name": "customer", "type": "user_id", "pattern": "HV-[0-9]{6}"}


def settings(*listed: Any) -> Settings:
    required = ("store", "keyring", "kek", "writer_key", "spool", "cache", "pin")
    return Settings.model_validate({**dict.fromkeys(required, "x"), "detectors": listed})


def found(text: str, *listed: Any) -> list[tuple[str, str]]:
    """Type and mention form of everything found in a text, and whether its span is where it says."""
    content = text.encode()
    by_name = detect([content], configured(settings(*(listed or ("email", "phone", "iban", "card")))))
    items = [item for lists in by_name.values() for item in lists[0]]
    assert all(0 <= start < end <= len(content) for _, (start, end) in items)
    return [tuple(mention_form(item.identifier)) for item in items]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to Ana.Ruiz+news@Example.ORG.", ("email", "ana.ruiz+news@example.org")),
        ("<mailto:o'neil@b.co.uk>", ("email", "o'neil@b.co.uk")),
        ("email=ana@b.org&x=1", ("email", "ana@b.org")),
        ("_ana@b.org_", ("email", "_ana@b.org")),
        ("ana\uff20\uff42\uff0e\uff4f\uff52\uff47", ("email", "ana@b.org")),
        ("josé@exämple.org", ("email", "josé@exämple.org")),
        ('{"a": "ana\\u0040b.org"}', ("email", "ana@b.org")),
        ("+44 20 7946 0958", ("phone", "079460958")),
        ("+44 (0)20 7946-0958,", ("phone", "079460958")),
        ("tel:+442079460958", ("phone", "079460958")),
        ("0044 20 7946 0958", ("phone", "079460958")),
        ("020 7946 0958", ("phone", "079460958")),
        ("(415) 555-0132", ("phone", "155550132")),
        ("1-415-555-0132", ("phone", "155550132")),
        ("gb82 west 1234 5698 7654 32", None),
        ("GB82 WEST 1234 5698 7654 32 and more", ("iban", "gb82west12345698765432")),
        ("IBAN:DE89370400440532013000", ("iban", "de89370400440532013000")),
        ("de89 3704 0044 0532 0130 00.", ("iban", "de89370400440532013000")),
        ("GB82 WEST 1234 5698 7654 33", None),
        ("card 4111 1111 1111 1111!", ("card", "4111111111111111")),
        ("3782-822463-10005", ("card", "378282246310005")),
        ("4111 1111 1111 1112", None),
        ("order W1234567 of 2026-11-24T10:00:00Z, 1732440000000 ms, id 9612497925, v1.2.3.4", None),
        ("b2e5f1c09a7d4411b0a0be92b0a4c1377b3f, 0036864010, 24/12/2025, 10:15-11:45, 3.14159265358979", None),
        ("@ana @ b.org ana@localhost ana@.org a@b.c1", None),
    ],
)
def test_built_in_detectors(text: str, expected: tuple[str, str] | None) -> None:
    assert found(text) == ([expected] if expected else [])


@given(st.text("0123456789", min_size=12, max_size=18))
def test_of_ten_last_digits_one_is_right(digits: str) -> None:
    assert sum(is_luhn(digits + str(last)) for last in range(10)) == 1


@given(st.sampled_from(["DE", "FR", "GB"]), st.text("0123456789", min_size=14, max_size=20))
def test_of_ninety_seven_check_digits_one_is_right(country: str, rest: str) -> None:
    assert sum(is_iban(f"{country}{check:02}{rest}") for check in range(2, 99)) == 1


def test_own_patterns_are_of_the_type_that_they_say() -> None:
    assert found("see HV-104417 and hv-1", HV) == [("user_id", "hv-104417")]
    assert found('{"q": "né \U0001f600 HV-104417\\n"}', HV) == [("user_id", "hv-104417")]
    assert found("\ufdd0HV-104417\ufdd1 \ud7ff", HV) == [("user_id", "hv-104417")]


def test_the_spans_of_own_patterns_are_right_where_the_match_stands_elsewhere_too() -> None:
    pattern = {"name": "six", "type": "user_id", "pattern": r"\b[0-9]{6}\b"}
    content = b"1234567 123456 x123456 123456"
    ((one, other),) = detect([content], configured(settings(pattern)))["six"]

    assert [one.span, other.span] == [(8, 14), (23, 29)]


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "[z-a]", "a{5000}{5000}"])
def test_a_pattern_that_cannot_be_used_is_named(pattern: str) -> None:
    with pytest.raises(ConfigError, match="detector mine cannot be used"):
        configured(settings({"name": "mine", "type": "user_id", "pattern": pattern}))


@pytest.mark.parametrize("pattern", ["x*", "", "a|"])
def test_a_pattern_that_matches_nothing_at_all_is_refused(pattern: str) -> None:
    with pytest.raises((ConfigError, ValueError)):
        configured(settings({"name": "mine", "type": "user_id", "pattern": pattern}))


@pytest.mark.parametrize(
    "listed",
    [
        ("phones",),
        ("email", "email"),
        ({**HV, "name": "email"},),
        (HV, HV),
        ({**HV, "type": "User Id"},),
        ({"name": "x"},),
    ],
)
def test_detectors_that_there_are_not_are_refused(listed: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="detectors"):
        settings(*listed)


def test_they_are_read_from_the_file_and_from_the_environment(
    installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installation.config.open("a") as file:
        file.write('detectors = ["email", { name = "customer", type = "user_id", pattern = "HV-[0-9]{6}" }]\n')
    assert [item.name for item in configured(load(str(installation.config)))] == ["email", "customer"]

    monkeypatch.setenv("EVIDENCE_DETECTORS", "phone, iban")
    assert [item.name for item in configured(load(str(installation.config)))] == ["phone", "iban"]


def test_a_digest_changes_with_what_is_found_and_with_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def digests() -> list[bytes]:
        return [item.digest for item in configured(settings("email", HV, {**HV, "name": "other"}))]

    before = digests()
    assert len(set(before)) == 3
    assert digests() == before

    version, search = detectors._BUILT_IN["email"]
    monkeypatch.setitem(detectors._BUILT_IN, "email", (version + 1, search))
    assert digests()[0] != before[0]
    assert digests()[1:] == before[1:]
    other = configured(settings({**HV, "pattern": "HV-[0-9]{7}"}))
    assert other[0].digest != before[1]


@pytest.mark.parametrize(
    "text",
    [
        "@" * 100_000,
        "a@" * 60_000,
        "a." * 60_000 + "@" + "a." * 60_000,
        "a@" + "a-" * 60_000,
        "+4" + " 1" * 60_000,
        "0" * 120_000,
        "4 " * 60_000,
        "GB82" * 30_000,
        "GB82 " * 30_000,
        "(((" * 40_000,
        "020 79 " * 20_000,
    ],
)
def test_no_text_makes_a_detector_slow(text: str) -> None:
    nested = {"name": "nested", "type": "user_id", "pattern": "(a+)+$"}
    started = time.process_time()

    detect([text.encode(), json.dumps(text).encode()], configured(settings("email", "phone", "iban", "card", nested)))

    assert time.process_time() - started < 10


def test_mention_forms_meet_the_identifiers_that_sources_give() -> None:
    for kind, one, other in (
        ("email", "Ana@B.org ", "ana@b.org"),
        ("phone", "+49 (0)151 0123456", "0151/0123456"),
        ("phone", "0049 151 0123456", "+491510123456"),
        ("iban", "GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432"),
        ("card", "4111-1111-1111-1111", "4111111111111111"),
    ):
        assert mention_form(Identifier(kind, one)) == mention_form(Identifier(kind, other))
