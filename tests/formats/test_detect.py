"""Detection by content: which format, and whether lines or one document. A file's name plays no part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.base import Framing
from ingest.formats.detect import HEAD_SIZE, SOURCES, detect, force
from ledger.errors import UsageError

NATIVE = b'{"evidence":"event/1","kind":"tool","source":"bank"}'
CALL: dict[str, Any] = {"id": "c", "call_type": "acompletion", "status": "success", "messages": [{"content": "hi"}]}


def verdict(data: bytes, complete: bool = True) -> tuple[str | None, Framing | None]:
    found = detect(data, complete)
    return found.format.name if found.format else None, found.framing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tau2/*_*.json", ("tau2", Framing.DOCUMENT)),
        ("tau2/azure-airline-full.json", ("tau2", Framing.DOCUMENT)),
        ("tau2/retail-db.json", (None, None)),
        ("tau-bench/gpt-4o-airline.json", ("tau_bench", Framing.DOCUMENT)),
        ("tau-bench/*-users.json", (None, None)),
        ("litellm/standard_logging_payload.json", ("litellm", Framing.DOCUMENT)),
        ("litellm/spend_logs_payload.json", ("litellm_spend", Framing.DOCUMENT)),
        ("otlp/*.jsonl", ("otlp", Framing.LINES)),
        ("otlp/*s.json", ("otlp", Framing.DOCUMENT)),
        ("github-webhooks/deployment_review/*.json", ("github", Framing.DOCUMENT)),
        ("merkle-vectors/*/*.json", (None, None)),
        ("json-bad-inputs/test_parsing/*", (None, None)),
        ("*/LICENSE*", (None, None)),
        ("*/*.csv", (None, None)),
    ],
)
def test_real_files(name: str, expected: tuple[str | None, Framing | None], shared_data: Path) -> None:
    files = [file for file in shared_data.glob(name) if file.is_file()]
    for file in files:
        with file.open("rb") as source:
            head = source.read(HEAD_SIZE)
        assert verdict(head, len(head) == file.stat().st_size) == expected, file.name
    assert files or "merkle" in name


def test_one_object_on_one_line_is_a_line() -> None:
    assert verdict(NATIVE) == ("evidence", Framing.LINES)
    assert verdict(orjson.dumps(CALL)) == ("litellm", Framing.LINES)


def test_an_object_over_several_lines_is_a_document() -> None:
    assert verdict(orjson.dumps(CALL, option=orjson.OPT_INDENT_2)) == ("litellm", Framing.DOCUMENT)


PUSH: dict[str, Any] = {"ref": "refs/heads/main", "repository": {"id": 1}, "sender": {"login": "omar-d"}}


@pytest.mark.parametrize("line", [PUSH, {"event": "push", "delivery": "72d3162e", "payload": PUSH}])
def test_lines_of_any_webhook_of_github_are_lines_and_one_alone_over_several_lines_is_unknown(
    line: dict[str, Any],
) -> None:
    assert verdict(orjson.dumps(line)) == ("github", Framing.LINES)
    assert verdict((orjson.dumps(line) + b"\n") * 60, complete=False) == ("github", Framing.LINES)
    assert verdict(orjson.dumps(line, option=orjson.OPT_INDENT_2)) == (None, None)
    assert verdict(orjson.dumps({**line, "repository": "x", "payload": 1})) == (None, None)
    assert verdict(orjson.dumps(line) + b"\n" + NATIVE + b"\n") == ("evidence", Framing.LINES)


@pytest.mark.parametrize("before", [b"", b"\n\r\n  \n", b"\xef\xbb\xbf", b'{"evidence":"ev\n', b"\xff\xfe\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n", b"\nnot json\n", b'\n{"evidence":"event/1","ki'])
def test_a_bad_line_does_not_hide_the_format_of_the_others(before: bytes, after: bytes) -> None:
    assert verdict(before + NATIVE + after) == ("evidence", Framing.LINES)
    assert verdict(before + (NATIVE + b"\n") * 2 + NATIVE + after, complete=False) == ("evidence", Framing.LINES)


def test_a_byte_order_mark_is_named() -> None:
    """The first line will be refused for it, as strict JSON has none; the others are read."""
    assert detect(b"\xef\xbb\xbf" + NATIVE, complete=True).reason == "byte_order_mark"


def test_a_single_line_longer_than_the_head_is_recognised() -> None:
    data = orjson.dumps({**CALL, "messages": [{"role": "user", "content": "x" * 100}] * 5000})
    assert len(data) > HEAD_SIZE
    assert verdict(data[:HEAD_SIZE], complete=False) == ("litellm", Framing.LINES)


def test_a_document_is_recognised_though_its_telling_keys_stand_behind_the_head() -> None:
    """tau2 files have all their tasks before the simulations."""
    info = {"agent_info": {}, "environment_info": {"policy": '\\" [{'}}
    data = orjson.dumps({"timestamp": "x", "info": info, "tasks": ["x" * 100] * 5000, "simulations": []})
    assert verdict(data[:HEAD_SIZE], complete=False) == ("tau2", Framing.DOCUMENT)


def test_an_array_of_objects_on_lines_is_not_taken_for_lines() -> None:
    for inner, expected in ((NATIVE, (None, None)), (orjson.dumps(CALL), ("litellm", Framing.DOCUMENT))):
        assert verdict(b"[\n" + inner + b",\n" + inner + b"\n]\n") == expected


def test_the_stores_own_access_records_are_not_an_input_format() -> None:
    assert verdict(b'{"_":"evidence/access/1","command":"replay"}') == (None, None)
    assert "access" not in SOURCES


@pytest.mark.parametrize("data", [b"", b"\n", b"\x00" * 100, b"PAR1", b"[" * 2000, b'"', b"{", b"]", b'{"a":"\\'])
@pytest.mark.parametrize("complete", [True, False])
def test_what_is_none_of_them_is_unknown(data: bytes, complete: bool) -> None:
    found = detect(data, complete)
    assert (found.format, found.framing, found.reason) == (None, None, "unknown_format")


def test_a_format_can_be_forced() -> None:
    assert force("litellm", NATIVE + b"\n" + NATIVE, complete=True)[:2] == force("litellm", NATIVE, complete=True)[:2]
    assert force("litellm", NATIVE, complete=True).framing == Framing.LINES
    assert force("tau2", NATIVE, complete=True).framing == Framing.DOCUMENT
    assert force("otlp", b"[\n1\n]", complete=True).framing == Framing.DOCUMENT
    assert force("otlp", NATIVE, complete=True).format is not None
    for unknown in ("access", "rejected", "xml"):
        with pytest.raises(UsageError):
            force(unknown, b"", complete=True)


@given(
    data=st.binary(max_size=300) | st.text(alphabet='{}[]",:\\ \nae1', max_size=60).map(str.encode),
    all_of_it=st.booleans(),
)
def test_any_bytes_are_judged(data: bytes, all_of_it: bool) -> None:
    found = detect(data, all_of_it)
    assert (found.format is None) == (found.framing is None)
    force("otlp", data, all_of_it)


@given(cut=st.integers(min_value=0))
def test_any_cut_of_a_document_closes_to_json_or_is_unknown(cut: int) -> None:
    whole = orjson.dumps({**CALL, "metadata": {"a": ["]", {"b": '\\"'}], "c": 1}})
    found = detect(whole[: cut % len(whole)], complete=False)
    assert found.format is None or found.format.name == "litellm"
