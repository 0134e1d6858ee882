"""What a call of LiteLLM's proxy is, by its ``call_type``: a call of a model, or a run of something else.

The proxy logs every route in the one shape. Searching a store of vectors, listing tools, or handling files, batches
and threads calls no model: counted among the inferences, such calls would make a model look used that was not. They
are runs of a service that the model or its user works with, so they are ``tool``; the kinds know nothing closer. The
operation says which: by its name in the GenAI conventions where it has one, else by LiteLLM's own.
"""

from __future__ import annotations

from typing import Any

_MODEL_CALLS = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "text_completion": "text_completion",
    "generate_content": "generate_content",
    "generate_content_stream": "generate_content",
    "embedding": "embeddings",
}
_TOOL_RUNS = {
    "call_mcp_tool": "execute_tool",
    "code_interpreter_tool": "execute_tool",
    "run_code": "execute_tool",
    "vector_store_search": "retrieval",
}
_MANAGEMENT = frozenset(
    (
        *("list_mcp_tools", "search", "ingest", "create_skill", "list_input_items"),
        *("create_file", "file_retrieve", "file_delete", "file_list", "file_content"),
        *("create_batch", "retrieve_batch", "cancel_batch", "list_batches"),
        *("create_fine_tuning_job", "cancel_fine_tuning_job", "list_fine_tuning_jobs", "retrieve_fine_tuning_job"),
        *("get_assistants", "create_assistants", "delete_assistant"),
        *("create_thread", "get_thread", "add_message", "_add_message", "get_messages"),
        *("vector_store_create", "vector_store_file_create", "vector_store_file_list", "vector_store_file_retrieve"),
        *("vector_store_file_content", "vector_store_file_update", "vector_store_file_delete"),
        *("create_container", "list_containers", "retrieve_container", "delete_container"),
        *("list_container_files", "upload_container_file", "create_sandbox", "delete_sandbox"),
        *("video_retrieve", "video_content", "video_list", "video_retrieve_job", "video_delete"),
        *("video_create_character", "video_get_character", "create_realtime_client_secret"),
    )
)


def classify(call_type: Any) -> tuple[str, str | None]:
    """Kind and operation. What is in no table (images, speech, reranking, passed-through routes) is a model's call."""
    if type(call_type) is not str:
        return "inference", None
    for name in (call_type, call_type.removeprefix("a")):  # the asynchronous form has the same name behind an "a"
        if name in _MODEL_CALLS:
            return "inference", _MODEL_CALLS[name]
        if name in _TOOL_RUNS:
            return "tool", _TOOL_RUNS[name]
        if name in _MANAGEMENT:
            return "tool", name.lstrip("_")
    return "inference", None
