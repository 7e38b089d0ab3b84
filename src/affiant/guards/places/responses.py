"""Places of OpenAI Responses: request, answer, event. Leaves out: the walk (`walk`), lanes of a stream (`stream_responses`)."""

from __future__ import annotations

from affiant.guards.model import Kind, Role
from affiant.guards.places.chat import ANNOTATION, CHOICE, INPUT_AUDIO, SCHEMA
from affiant.guards.places.rules import (
    ENCRYPTED,
    FILE,
    FREE,
    IDENTIFIER,
    IMAGE,
    JSON,
    LOGPROBS,
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

_DEFINED, _CALLED, _RETURNED = (Role.SYSTEM, Kind.TOOL_DEFINITION), (Role.ASSISTANT, Kind.TOOL_CALL), (Role.TOOL, Kind.TOOL_RESULT)
_BREAKPOINT = of(Shape("breakpoint", {"mode": WORD, "ttl": WORD}), How.WORD)
CONTENT = Shape(
    "content part",
    {
        **fields(WORD, "type detail"), **fields(TEXT, "text refusal filename transcript"), "file_id": IDENTIFIER, "file_url": URL,
        "annotations": Rule(How.TEXT, ANNOTATION, Role.DOCUMENT), "logprobs": LOGPROBS, "image_url": IMAGE, "file_data": FILE,
        "input_audio": INPUT_AUDIO, "prompt_cache_breakpoint": _BREAKPOINT, **fields(TEXT, "stdout stderr logs"), "url": IMAGE,
        "outcome": of(Shape("outcome", {"type": WORD, "exit_code": NUMBER}), How.WORD), "created_by": IDENTIFIER,
    },
)  # fmt: skip
_TOOL = Shape("tool")
_TOOL.fields.update(
    {
        **fields(WORD, "type syntax search_context_size execution background quality size output_format moderation input_fidelity"),
        **fields(TEXT, "name description server_label server_description"),
        **fields(SCHEMA, "parameters input_schema output_schema"), "annotations": FREE,
        "server_url": URL,
        **fields(Rule(How.IDENTIFIER, note="credential of a tool's server"), "headers authorization"),
        **fields(IDENTIFIER, "vector_store_ids model connector_id"), "tools": of(_TOOL), "allowed_callers": WORD,
        "format": of(Shape("format", {"type": WORD, "definition": TEXT, "syntax": WORD})),
        **fields(FREE, "filters user_location ranking_options allowed_tools require_approval container input_image_mask environment"),
        **fields(NUMBER, "strict max_num_results display_width display_height partial_images output_compression defer_loading"),
    }
)  # fmt: skip
_ACTION = Shape(
    "action",
    {
        **fields(WORD, "type button"), **fields(TEXT, "query queries pattern keys text commands command user working_directory path diff"),
        "url": URL, "sources": of(Shape("web source", {"type": WORD, "url": URL, "name": TEXT})), "env": METADATA,
        **fields(NUMBER, "x y scroll_x scroll_y timeout_ms max_output_length"),
    },
)  # fmt: skip
ITEM = Shape(
    "item",
    {
        **fields(WORD, "type status execution phase"), "role": WORD, "content": of(CONTENT), "refusal": TEXT,
        **fields(IDENTIFIER, "id call_id container_id approval_request_id fingerprint created_by agent"),
        **fields(TEXT, "name namespace queries server_label reason revised_prompt code input"), "arguments": JSON,
        "output": Rule(How.TEXT, CONTENT, *_RETURNED), "outputs": Rule(How.TEXT, CONTENT, *_RETURNED), "result": IMAGE,
        "results": Rule(How.TEXT, Shape("search result", {
            "attributes": METADATA, **fields(IDENTIFIER, "file_id vector_store_id"), **fields(TEXT, "filename text"), "score": NUMBER,
        }), Role.DOCUMENT, Kind.TOOL_RESULT),
        "summary": of(Shape("summary", {"type": WORD, "text": TEXT})), "encrypted_content": ENCRYPTED,
        "tools": Rule(How.TEXT, _TOOL, *_DEFINED),
        **fields(Rule(How.TEXT, _ACTION, kind=Kind.TOOL_CALL), "action actions operation"),
        **fields(Rule(How.FREE, kind=Kind.TOOL_CALL), "environment pending_safety_checks acknowledged_safety_checks"),
        **fields(FREE, "error svg_usage"), "caller": of(Shape("caller", {"type": WORD, "caller_id": IDENTIFIER})),
        **fields(WORD, "background output_format quality size"), **fields(NUMBER, "approve max_output_length async"),
        "prompt_cache_breakpoint": _BREAKPOINT,
    },
    roles=True,
)  # fmt: skip
ITEM.variants.update(
    {
        **{
            name: Variant(*_CALLED)
            for name in (
                "function_call", "custom_tool_call", "mcp_call", "mcp_approval_request", "file_search_call", "web_search_call",
                "computer_call", "code_interpreter_call", "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call",
                "program", "image_generation_call",
            )
        },
        **{
            name: Variant(*_RETURNED)
            for name in (
                "function_call_output", "custom_tool_call_output", "computer_call_output", "local_shell_call_output",
                "shell_call_output", "apply_patch_call_output", "mcp_approval_response",
            )
        },
        "program_output": Variant(*_RETURNED, fields={"result": TEXT}),
        **{name: Variant(*_DEFINED) for name in ("mcp_list_tools", "additional_tools", "tool_search_output")},
        "reasoning": Variant(Role.ASSISTANT),
    }
)  # fmt: skip

_ECHOED_KEYS = Rule(How.KEYS, role=Role.USER)
_COMMON = {
    "model": IDENTIFIER, "instructions": Rule(How.TEXT, ITEM, Role.SYSTEM), "metadata": _ECHOED_KEYS,
    "tools": Rule(How.TEXT, _TOOL, *_DEFINED), "tool_choice": CHOICE,
    **fields(Rule(How.TEXT, role=Role.USER), "user prompt_cache_key safety_identifier"),
    "prompt": of(Shape("prompt", {**fields(IDENTIFIER, "id version"), "variables": _ECHOED_KEYS})),
    "text": Rule(How.WORD, Shape("text", {"verbosity": WORD, "format": of(Shape("format", {
        "type": WORD, **fields(TEXT, "name description"), "schema": SCHEMA, "strict": NUMBER,
    }))}), *_DEFINED),
    "conversation": Rule(How.IDENTIFIER, Shape("conversation", {"id": IDENTIFIER})), "previous_response_id": IDENTIFIER,
    "reasoning": of(Shape("reasoning", fields(WORD, "effort summary generate_summary context")), How.WORD), "moderation": FREE,
    "prompt_cache_options": Rule(How.WORD, Shape("cache options", {**fields(WORD, "mode ttl prewarm"),
                                                                   "comparison_response_id": IDENTIFIER})),
    **fields(WORD, "service_tier truncation prompt_cache_retention include"),
    **fields(FREE, "access_programs image background_options context_management"),
    **fields(NUMBER, "background max_output_tokens max_tool_calls parallel_tool_calls store stream temperature top_logprobs top_p"),
}  # fmt: skip
REQUEST = Shape(
    "request",
    {
        **_COMMON, "input": Rule(How.TEXT, ITEM, Role.USER),
        "stream_options": of(Shape("stream options", {"include_obfuscation": NUMBER}), How.WORD),
    },
)  # fmt: skip
ANSWER = Shape(
    "answer",
    {
        **_COMMON, "output": Rule(How.TEXT, ITEM, Role.ASSISTANT), "output_text": Rule(How.TEXT, role=Role.ASSISTANT), "id": IDENTIFIER,
        **fields(WORD, "object status"), **fields(NUMBER, "created_at completed_at usage tool_usage"),
        **fields(FREE, "error incomplete_details input_transformations prompt_cache_diagnostics"),
    },
)  # fmt: skip
# Of an event of a stream, what carries no delta of a text; a whole text that was streamed before is recognized by the stream.
EVENT = Shape(
    "event",
    {
        "type": WORD, **fields(IDENTIFIER, "item_id stream_id"),
        **fields(NUMBER, "sequence_number output_index content_index summary_index command_index annotation_index partial_image_index"),
        "response": of(ANSWER), "item": Rule(How.TEXT, ITEM, Role.ASSISTANT), "part": Rule(How.TEXT, CONTENT, Role.ASSISTANT),
        "annotation": Rule(How.TEXT, ANNOTATION, Role.DOCUMENT), "logprobs": LOGPROBS,
        **fields(Rule(How.TEXT, role=Role.ASSISTANT), "text refusal transcript"), "arguments": Rule(How.JSON, None, *_CALLED),
        **fields(Rule(How.TEXT, None, *_CALLED), "code command input"), "output": Rule(How.TEXT, CONTENT, *_RETURNED),
        "partial_image_b64": IMAGE, **fields(WORD, "code status background output_format quality size"),
        **fields(TEXT, "message param"), "error": FREE,
    },
    {"response.code_interpreter_call_code.done": Variant(*_CALLED, fields={"code": TEXT})},
)  # fmt: skip
