"""Places of Anthropic Messages: request, answer, event. Leaves out: the walk (`walk`), lanes of a stream (`stream_messages`)."""

from __future__ import annotations

from affiant.guards.model import Kind, Role
from affiant.guards.places.rules import (
    ENCRYPTED,
    FILE,
    FREE,
    IDENTIFIER,
    IMAGE,
    METADATA,
    NUMBER,
    TEXT,
    URL,
    WORD,
    How,
    Rule,
    Shape,
    Variant,
    fields,
    of,
)

_CACHE = of(Shape("cache control", {"type": WORD, "ttl": WORD}), How.WORD)
CITATION = Shape(
    "citation",
    {
        "type": WORD, **fields(TEXT, "cited_text document_title title source"), "url": URL, "file_id": IDENTIFIER,
        "encrypted_index": ENCRYPTED, "enabled": NUMBER,
        **fields(NUMBER, "document_index start_char_index end_char_index start_page_number end_page_number start_block_index "
                         "end_block_index search_result_index"),
    },
)  # fmt: skip

BLOCK = Shape("block")
_SOURCE = Shape(
    "source",
    {"type": WORD, "media_type": WORD, "data": FILE, "url": URL, "file_id": IDENTIFIER, "content": of(BLOCK)},
    {"text": Variant(fields={"data": TEXT})},
)
_IMAGE_SOURCE = Shape("image source", {**_SOURCE.fields, "data": IMAGE})
_ASKED, _RESULT = (Role.ASSISTANT, Kind.TOOL_CALL), (Role.TOOL, Kind.TOOL_RESULT)
BLOCK.fields.update(
    {
        **fields(WORD, "type error_code file_type"), **fields(IDENTIFIER, "id tool_use_id file_id"), "cache_control": _CACHE,
        **fields(TEXT, "text title context thinking name error_message page_age retrieved_at tool_name toolset_name server_name stdout "
                       "stderr lines"),
        "content": of(BLOCK), "tool_references": of(BLOCK), "source": Rule(How.URL, _SOURCE), "url": URL,
        "input": Rule(How.FREE, kind=Kind.TOOL_CALL, note="input of a tool"), "citations": Rule(How.TEXT, CITATION, Role.DOCUMENT),
        **fields(ENCRYPTED, "signature data encrypted_content encrypted_stdout"),
        "caller": of(Shape("caller", {"type": WORD, "tool_id": IDENTIFIER})),
        **fields(NUMBER, "is_error return_code num_lines start_line total_lines is_file_update old_start old_lines new_start new_lines"),
    }
)  # fmt: skip
BLOCK.variants.update(
    {
        **{name: Variant(*_ASKED) for name in ("tool_use", "server_tool_use", "mcp_tool_use")},
        **{
            name: Variant(*_RESULT)
            for name in (
                "tool_result", "mcp_tool_result", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
                "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
            )
        },
        **{name: Variant(Role.DOCUMENT) for name in ("document", "search_result", "web_search_result", "web_fetch_result")},
        "image": Variant(fields={"source": Rule(How.URL, _IMAGE_SOURCE)}),
        "thinking": Variant(Role.ASSISTANT),
    }
)  # fmt: skip

MESSAGE = Shape("message", {"role": WORD, "content": of(BLOCK)}, roles=True)
_TOOL = Shape(
    "tool",
    {
        **fields(TEXT, "name description allowed_domains blocked_domains"), "type": WORD, "cache_control": _CACHE,
        "input_schema": Rule(How.FREE, note="JSON Schema: enum, default, examples, descriptions, keys"), "input_examples": FREE,
        "user_location": FREE, "citations": Rule(How.TEXT, CITATION), "allowed_callers": WORD, "configs": FREE,
        **fields(NUMBER, "max_uses max_content_tokens max_characters strict defer_loading eager_input_streaming display_width_px "
                         "display_height_px display_number"),
    },
)  # fmt: skip
_SERVER = Shape(
    "MCP server",
    {
        "type": WORD,
        "url": URL,
        "name": TEXT,
        "authorization_token": Rule(How.IDENTIFIER, note="credential of a tool's server"),
        "tool_configuration": FREE,
    },
)
_CONTAINER = Rule(How.IDENTIFIER, Shape("container", {"id": IDENTIFIER, "expires_at": TEXT, "skills": FREE}))

REQUEST = Shape(
    "request",
    {
        "model": IDENTIFIER, "system": Rule(How.TEXT, BLOCK, Role.SYSTEM), "messages": of(MESSAGE), "metadata": METADATA,
        "stop_sequences": TEXT, "tools": Rule(How.TEXT, _TOOL, Role.SYSTEM, Kind.TOOL_DEFINITION),
        "tool_choice": Rule(How.WORD, Shape("tool choice", {"type": WORD, "name": TEXT, "disable_parallel_tool_use": NUMBER}),
                            Role.SYSTEM, Kind.TOOL_DEFINITION),
        "thinking": of(Shape("thinking", {"type": WORD, "budget_tokens": NUMBER, "display": WORD}), How.WORD), "container": _CONTAINER,
        "mcp_servers": Rule(How.TEXT, _SERVER, Role.SYSTEM, Kind.TOOL_DEFINITION), "context_management": FREE,
        "output_config": Rule(How.FREE, None, Role.SYSTEM, Kind.TOOL_DEFINITION),
        "output_format": Rule(How.FREE, None, Role.SYSTEM, Kind.TOOL_DEFINITION),
        "cache_control": _CACHE, **fields(WORD, "service_tier inference_geo"),
        **fields(NUMBER, "max_tokens stream temperature top_k top_p"),
    },
)  # fmt: skip
ANSWER = Shape(
    "answer",
    {
        **fields(IDENTIFIER, "id model request_id"), **fields(WORD, "type stop_reason role"), "stop_sequence": TEXT,
        "content": Rule(How.TEXT, BLOCK, Role.ASSISTANT), "usage": NUMBER, "container": _CONTAINER,
        **fields(FREE, "context_management error stop_details diagnostics"),
    },
)  # fmt: skip
# Of an event of a stream, what carries no delta of a text.
EVENT = Shape(
    "event",
    {
        "type": WORD, "index": NUMBER, "message": of(ANSWER), "content_block": Rule(How.TEXT, BLOCK, Role.ASSISTANT), "usage": NUMBER,
        "delta": Rule(How.TEXT, Shape("delta", {
            **fields(WORD, "type stop_reason"), "stop_sequence": TEXT, "signature": ENCRYPTED,
            "citation": Rule(How.TEXT, CITATION, Role.DOCUMENT), "container": _CONTAINER, "stop_details": FREE,
        }), Role.ASSISTANT), "error": FREE, "context_management": FREE,
    },
)  # fmt: skip
