"""Presidio among the detectors: without a model, without a network, in pieces; an extra that nobody needs to have."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from importlib import metadata, util
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import ConfigError
from ledger.keyring.identifiers import Identifier
from ledger.settings import Settings, load
from replay.detectors import Detector, configured, detect, mention_form, presidio, types_found

INSTALLED = util.find_spec("presidio_analyzer") is not None
needs_presidio = pytest.mark.skipif(not INSTALLED, reason="Presidio is not installed (extra presidio)")

BITCOIN = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
SSN = "536-90-4399"


def listing(*listed: Any) -> Settings:
    required = ("store", "keyring", "kek", "writer_key", "spool", "cache", "pin")
    return Settings.model_validate({**dict.fromkeys(required, "x"), "detectors": listed})


def entry(*entities: str) -> dict[str, Any]:
    return {"name": "presidio", "engine": "presidio", "entities": entities}


def detector(*entities: str) -> Detector:
    return configured(listing(entry(*entities)))[0]


def found(content: bytes, *entities: str) -> list[tuple[str, str, bytes]]:
    """Type, value, and the bytes of the content that the span covers."""
    items = detect([content], [detector(*entities)])["presidio"][0]
    return [(*item.identifier, content[slice(*item.span)]) for item in items]


@pytest.fixture(scope="module")
def reader() -> Detector:
    return detector("CRYPTO", "US_SSN")


@pytest.fixture(scope="module")
def vocabulary() -> Any:
    import spacy

    return spacy.blank("en").vocab


@pytest.mark.skipif(INSTALLED, reason="Presidio is installed here")
def test_without_the_extra_the_error_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match="detector presidio needs Presidio") as caught:
        detector("US_SSN")

    assert "pip install 'evidence-ledger[presidio]'" in caught.value.next_step


@pytest.mark.parametrize(
    "wrong", [entry(), entry("us_ssn"), {**entry("US_SSN"), "engine": "other"}, {**entry("US_SSN"), "name": "email"}]
)
def test_a_wrong_entry_is_refused_by_the_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="detectors"):
        listing("email", wrong)


def test_it_is_read_from_the_file(installation: Any) -> None:
    with installation.config.open("a") as file:
        file.write('detectors = ["email", { name = "ids", engine = "presidio", entities = ["US_SSN", "IBAN_CODE"] }]\n')

    assert types_found(load(str(installation.config))) == ["email", "us_ssn", "iban"]


@needs_presidio
@pytest.mark.parametrize(
    ("text", "entity", "expected"),
    [
        (f"ssn {SSN}.", "US_SSN", ("us_ssn", SSN)),
        (f"pay to {BITCOIN}", "CRYPTO", ("crypto", BITCOIN)),
        ("NINO AB123456C", "UK_NINO", ("uk_nino", "AB123456C")),
        ("codice fiscale RSSMRA85T10A562S", "IT_FISCAL_CODE", ("it_fiscal_code", "RSSMRA85T10A562S")),
        ("write to ana@example.org", "EMAIL_ADDRESS", ("email", "ana@example.org")),
        ("write to ana@b.notadomain", "EMAIL_ADDRESS", None),
        ("IBAN DE89370400440532013000", "IBAN_CODE", ("iban", "DE89370400440532013000")),
        ("call +44 20 7946 0958", "PHONE_NUMBER", ("phone", "+44 20 7946 0958")),
        ("the passport 912803456", "US_PASSPORT", ("us_passport", "912803456")),
        ('{"passport":"912803456"}', "US_PASSPORT", ("us_passport", "912803456")),
        ("the order 912803456", "US_PASSPORT", None),
        ("call 415-555-0105", "UK_NHS", ("uk_nhs", "415-555-0105")),
        (f"no such thing in W1234567, {BITCOIN[:-1]}b", "CRYPTO", None),
    ],
)
def test_entities_are_found_and_words_beside_them_count(
    text: str, entity: str, expected: tuple[str, str] | None
) -> None:
    assert [item[:2] for item in found(text.encode(), entity)] == ([expected] if expected else [])


@needs_presidio
def test_what_built_in_detectors_find_too_is_the_same_identifier() -> None:
    ((kind, value, _),) = found(b"card 4111-1111-1111-1111!", "CREDIT_CARD")

    assert mention_form(Identifier(kind, value)) == ("card", "4111111111111111")


@needs_presidio
def test_spans_are_bytes_of_the_content_through_escapes_and_broken_text() -> None:
    escaped = json.dumps({"q": f"é \U0001f600 ssn {SSN}\n"}).encode()
    assert found(escaped, "US_SSN") == [("us_ssn", SSN, SSN.encode())]

    broken = f"né \U0001f600 {SSN}".encode() + b"\xff\xfe \xed\xa0\x80 ssn 536\xe2\x80\x8b-90-4398"
    assert [item[2] for item in found(broken, "US_SSN")] == [SSN.encode(), b"536\xe2\x80\x8b-90-4398"]


@needs_presidio
@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([0, presidio.CORE, 2 * presidio.CORE]),
    st.integers(-presidio.MARGIN - 60, presidio.MARGIN + 60),
    st.sampled_from([BITCOIN, SSN]),
)
def test_where_pieces_meet_everything_is_found_once(reader: Detector, edge: int, offset: int, value: str) -> None:
    before = max(edge + offset, 0)
    text = ("so be it " * (before // 9 + 1))[:before] + f" {value} " + "and on " * 700

    ((item,),) = reader.find([text])

    assert item[1:] == (value, before + 1, before + 1 + len(value))


@needs_presidio
def test_nothing_is_fetched_and_no_word_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    engine = presidio._analyzer("presidio", ["EMAIL_ADDRESS"])

    assert [item[1] for item in presidio._found(engine, "mirabellenbaum ana@b.co.uk", ["EMAIL_ADDRESS"])] == [
        "ana@b.co.uk"
    ]
    assert "mirabellenbaum" not in engine.nlp_engine.get_nlp("en").vocab.strings
    engine.nlp_engine.get_nlp("en")("mirabellenbaum")
    assert "mirabellenbaum" in engine.nlp_engine.get_nlp("en").vocab.strings, "without a zone spaCy keeps it"


@needs_presidio
@pytest.mark.parametrize("entity", ["PERSON", "LOCATION", "NO_SUCH_THING"])
def test_an_entity_that_needs_a_model_is_named_with_what_to_do_instead(entity: str) -> None:
    with pytest.raises(ConfigError, match=f"no recogniser without a model for {entity}") as caught:
        found(b"Ana Ruiz", "US_SSN", entity)

    assert "--search" in caught.value.next_step


@needs_presidio
def test_its_digest_changes_with_its_entities_and_with_every_package_and_with_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = detector("US_SSN", "CRYPTO").digest
    assert detector("CRYPTO", "US_SSN").digest == before
    assert detector("US_SSN").digest != before

    installed = metadata.version
    for package in ("presidio-analyzer", "spacy", "phonenumbers", "tldextract"):
        with monkeypatch.context() as patch:
            patch.setattr(metadata, "version", lambda name, new=package: "99" if name == new else installed(name))
            assert detector("US_SSN", "CRYPTO").digest != before
    assert detector("US_SSN", "CRYPTO").digest == before


@needs_presidio
def test_it_is_imported_when_a_text_is_read_and_not_before() -> None:
    program = (
        "import sys; from ledger.settings import Settings; from replay.detectors import configured\n"
        "required = dict.fromkeys(('store', 'keyring', 'kek', 'writer_key', 'spool', 'cache', 'pin'), 'x')\n"
        "listed = [{'name': 'p', 'engine': 'presidio', 'entities': ['US_SSN']}]\n"
        "(one,) = configured(Settings(**required, detectors=listed))\n"
        "print('spacy' in sys.modules); list(one.find(['x'])); print('spacy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]
    assert done.stderr == ""


@needs_presidio
@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80))
def test_words_are_the_whole_text_at_the_places_that_they_have(vocabulary: Any, text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    words = presidio._tokenizer(vocabulary)(clean)

    assert words.text == clean
    assert all(clean.startswith(word.text, word.idx) for word in words)


@needs_presidio
@pytest.mark.parametrize(
    "text", ["@" * 40_000, "a." * 20_000, "0" * 40_000, "4 " * 20_000, "A1" * 20_000, "!" * 40_000]
)
def test_pieces_bound_what_a_text_can_cost(text: str) -> None:
    started = time.process_time()

    list(detector("US_SSN", "CRYPTO", "EMAIL_ADDRESS", "IBAN_CODE", "CREDIT_CARD").find([text]))

    assert time.process_time() - started < 5
