"""Which format an input has, and whether it falls into lines: by content only, never by the file's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from ingest.formats import FORMATS
from ingest.formats.base import Format, Framing
from ingest.formats.fields import BYTE_ORDER_MARK
from ledger.errors import UsageError

HEAD_SIZE = 256 * 1024
"""Bytes of an input's beginning that detection needs at most."""

SOURCES = ("evidence", "litellm_spend", "litellm", "otlp", "tau2", "tau_bench", "github", "mlflow")
"""Formats an input may have, the most specific first. The store's own access records are never among them."""

_PROBED_LINES = 50
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[\[\]{},]', re.DOTALL)
_CLOSERS = {b"{": b"}", b"[": b"]"}


Test = Callable[[Any], bool]


class Detected(NamedTuple):
    """What an input is. Without a format it is sealed as rejected, for ``reason`` (a closed code).

    ``reason`` may also stand beside a format: ``byte_order_mark`` says that the first document will be rejected.
    """

    format: Format | None
    framing: Framing | None
    reason: str = ""


def detect(head: bytes, complete: bool) -> Detected:
    """Judge an input by its first bytes (at most HEAD_SIZE); ``complete`` says that these are all of it."""
    return _judge(head, complete, tuple(FORMATS[name] for name in SOURCES))


def force(name: str, head: bytes, complete: bool) -> Detected:
    """Take the named format and judge the framing only. Raises UsageError for a name that is no source's format."""
    if name not in SOURCES:
        raise UsageError(f"There is no format {name!r}.", hint=f"Formats: {', '.join(SOURCES)}.")
    chosen = FORMATS[name]
    judged = _judge(head, complete, (chosen,))
    if judged.format is not None:
        return judged
    lines = Framing.LINES in chosen.framings and (len(chosen.framings) == 1 or _has_object_lines(head, complete))
    return Detected(chosen, Framing.LINES if lines else Framing.DOCUMENT, judged.reason)


def _judge(head: bytes, complete: bool, candidates: tuple[Format, ...]) -> Detected:
    marked = head.startswith(BYTE_ORDER_MARK)
    head = head[len(BYTE_ORDER_MARK) :] if marked else head
    reason = "byte_order_mark" if marked else ""
    by_lines = tuple(candidate for candidate in candidates if Framing.LINES in candidate.framings)
    value = _parsed(head) if complete else None
    needed = 1 if complete and value is None else 2
    for tests in ({one.name: one.matches for one in by_lines}, _KIN):
        found = _match_lines(head, complete, by_lines, tests, needed)
        if found is not None:
            return Detected(found, Framing.LINES, reason)
    if value is None:
        value = _parsed(_closed(head))
    for candidate in candidates:
        if candidate.matches(value) or (not complete and _looks_like(candidate, value)):
            return Detected(candidate, _framing_of_one(head, candidate), reason)
    return Detected(None, None, "unknown_format")


def _match_lines(
    head: bytes, complete: bool, candidates: tuple[Format, ...], tests: Mapping[str, Test], needed: int
) -> Format | None:
    """The format of an input of object lines, by a test of each format's lines.

    A first line that is an object by itself settles it: nothing may follow a complete JSON value in one document.
    Behind a malformed first line ``needed`` lines must agree: a pretty-printed array can end in one such line, so
    two are needed where the input may be such a document.
    """
    agreed: dict[str, int] = {}
    for number, line in enumerate(_lines(head, complete)):
        value = _parsed(line)
        if type(value) is not dict:
            continue
        for candidate in candidates:
            test = tests.get(candidate.name)
            if test is not None and test(value):
                agreed[candidate.name] = agreed.get(candidate.name, 0) + 1
                if number == 0 or agreed[candidate.name] >= needed:
                    return candidate
                break
    return None


def _has_object_lines(head: bytes, complete: bool) -> bool:
    first = next(_lines(head, complete), b"")
    return type(_parsed(first)) is dict


def _lines(head: bytes, complete: bool) -> Iterator[bytes]:
    """The first lines that are not blank; a last one without its end only where it is the input's last."""
    *whole, rest = head.split(b"\n", _PROBED_LINES)
    if complete and b"\n" not in rest:
        whole.append(rest)
    return (line for line in whole if line.strip())


def _framing_of_one(head: bytes, found: Format) -> Framing:
    """The framing of what is one JSON value as far as the head goes: a line, if it is an object on a single line."""
    if Framing.DOCUMENT not in found.framings:
        return Framing.LINES
    single = head.strip().startswith(b"{") and b"\n" not in head.strip()
    return Framing.LINES if single and Framing.LINES in found.framings else Framing.DOCUMENT


def _looks_like(candidate: Format, value: Any) -> bool:
    """Judge a document whose telling keys may stand behind the head, by what stands in it."""
    probe = _PARTIAL.get(candidate.name)
    return probe is not None and probe(value)


def _partial_tau2(value: Any) -> bool:
    info = value.get("info") if type(value) is dict else None
    return type(info) is dict and "environment_info" in info and ("agent_info" in info or "user_info" in info)


def _partial_tau_bench(value: Any) -> bool:
    first = value[0] if type(value) is list and value else None
    return type(first) is dict and "task_id" in first and "info" in first


def _webhook(value: Any) -> bool:
    """Whether a line is a webhook of GitHub, of any event: bare, or in what its receiver wrote around it."""
    payload = value.get("payload") if "event" in value and "repository" not in value else value
    return type(payload) is dict and type(payload.get("repository")) is dict and type(payload.get("sender")) is dict


_KIN: dict[str, Test] = {"github": _webhook}
"""Lines that are no records and stand among lines that are: they say how an input is read, not what they are."""

_PARTIAL: dict[str, Test] = {"tau2": _partial_tau2, "tau_bench": _partial_tau_bench}


def _parsed(document: bytes) -> Any:
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        return None


def _closed(head: bytes) -> bytes:
    """The head cut behind its last complete member, with all open brackets closed: JSON again, if it was JSON."""
    opened: list[bytes] = []
    end = 0
    for token in _TOKEN.finditer(head):
        sign = token.group()[:1]
        if sign == b'"':
            if not token.group(1):
                break
        elif sign in _CLOSERS:
            opened.append(_CLOSERS[sign])
            end = token.end()
        elif sign == b",":
            end = token.start()
        else:
            if not opened or opened.pop() != sign:
                return b""
            end = token.end()
            if not opened:
                break
    return head[:end] + b"".join(reversed(opened))
