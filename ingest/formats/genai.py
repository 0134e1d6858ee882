"""The OpenTelemetry GenAI attributes that a record line may carry, by their names without ``gen_ai.``.

The conventions are in development: old names are accepted here and written under the current ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ingest.formats.fields import count, opaque, repeated_opaque

Reader = Callable[[Any], Any]


def codes(value: Any) -> list[str] | None:
    """A list of opaque codes (finish reasons), or None where one of them is none."""
    items = value if type(value) is list else [value]
    read = [repeated_opaque(item) for item in items]
    return [item for item in read if item] if all(read) and read else None


_CURRENT: dict[str, tuple[str, Reader]] = {
    "operation.name": ("gen_ai_operation_name", repeated_opaque),
    "provider.name": ("gen_ai_provider_name", repeated_opaque),
    "request.model": ("gen_ai_request_model", repeated_opaque),
    "response.model": ("gen_ai_response_model", repeated_opaque),
    "response.id": ("gen_ai_response_id", opaque),
    "response.finish_reasons": ("gen_ai_response_finish_reasons", codes),
    "usage.input_tokens": ("gen_ai_usage_input_tokens", count),
    "usage.output_tokens": ("gen_ai_usage_output_tokens", count),
    "usage.cache_read.input_tokens": ("gen_ai_usage_cache_read_input_tokens", count),
    "usage.cache_creation.input_tokens": ("gen_ai_usage_cache_creation_input_tokens", count),
    "usage.reasoning.output_tokens": ("gen_ai_usage_reasoning_output_tokens", count),
    "tool.name": ("gen_ai_tool_name", repeated_opaque),
    "tool.call.id": ("gen_ai_tool_call_id", opaque),
}
_FORMER: dict[str, tuple[str, Reader]] = {
    "system": ("gen_ai_provider_name", repeated_opaque),
    "usage.prompt_tokens": ("gen_ai_usage_input_tokens", count),
    "usage.completion_tokens": ("gen_ai_usage_output_tokens", count),
    "usage.cache_read_input_tokens": ("gen_ai_usage_cache_read_input_tokens", count),
    "usage.cache_creation_input_tokens": ("gen_ai_usage_cache_creation_input_tokens", count),
    "usage.reasoning_tokens": ("gen_ai_usage_reasoning_output_tokens", count),
}


def read_attributes(attributes: Iterable[tuple[str, Any]], fields: dict[str, Any], *, former: bool) -> bool:
    """Write the attributes that a line may carry into ``fields``; a former name never replaces a current one.

    Returns whether a value was withheld because it is not the code or count that its name promises.
    """
    withheld = False
    for name, value in attributes:
        place = _CURRENT.get(name)
        if place is None and former:
            place = _FORMER.get(name)
            if place is not None and place[0] in fields:
                continue
        if place is None or (not value and (value is None or value == "" or value == [])):
            continue
        read = place[1](value)
        if read is None:
            withheld = True
        else:
            fields[place[0]] = read
    return withheld
