"""One payload or row as a document, or a JSON array of them, as the proxy's API and batching loggers give it.

In an array every call is a record over the exact bytes of its element. An element that is no call stays in the
document's envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ingest.formats.base import Described, Event, RejectedInput
from ingest.formats.fields import has_duplicate_keys, load
from ingest.formats.spans import Span, element_spans


class Call(NamedTuple):
    """One payload or row: its value and bytes, where these begin, and what tells it from its equals in an array."""

    value: dict[str, Any]
    bytes: bytes
    start: int
    position: str
    repeated: bool

    @property
    def end(self) -> int:
        """Where its bytes end."""
        return self.start + len(self.bytes)


Test = Callable[[Any], bool]


def holds_calls(value: Any, is_call: Test) -> bool:
    """Whether a parsed JSON value is a call, or an array that begins with one."""
    return is_call(value[0] if type(value) is list and value else value)


def describe_calls(document: bytes, is_call: Test, records: Callable[[Call], Iterator[Event]]) -> Described:
    """The records of every call of a document. Raises RejectedInput."""
    value = load(document)
    if type(value) not in (dict, list):
        raise RejectedInput("not_an_object")
    if not holds_calls(value, is_call):
        raise RejectedInput("unknown_shape")
    repeated = has_duplicate_keys(document, value)
    if type(value) is dict:
        return Described(list(records(Call(value, document, 0, "", repeated))))
    calls = (call for call in _elements(document, value, repeated) if is_call(call.value))
    return Described([event for call in calls for event in records(call)])


def _elements(document: bytes, values: list[Any], repeated: bool) -> Iterator[Call]:
    spans = element_spans(document, Span(0, len(document)))
    for index, (span, value) in enumerate(zip(spans, values, strict=True)):
        content = document[span.start : span.end]
        yield Call(value, content, span.start, str(index), repeated and has_duplicate_keys(content, value))
