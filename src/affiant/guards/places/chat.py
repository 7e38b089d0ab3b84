"""Places of OpenAI Chat Completions: request, answer, chunk. Leaves out: the walk (`walk`), lanes of a stream (`stream_chat`)."""

from __future__ import annotations

from affiant.guards.model import Kind, Role
from affiant.guards.places.rules import (
    AUDIO,
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
    fields,
    of,
)

SCHEMA = Rule(How.FREE, kind=Kind.TOOL_DEFINITION, role=Role.SYSTEM, note="JSON Schema: enum, default, examples, descriptions, keys")
_DEFINITION = Shape("definition", {**fields(TEXT, "name description"), "parameters": SCHEMA, "strict": NUMBER})
_CUSTOM = Shape(
    "custom",
    {
        **fields(TEXT, "name description"),
        "format": of(
            Shape("format", {"type": WORD, "grammar": of(Shape("grammar", {"definition": TEXT, "syntax": WORD}))}),
        ),
    },
)
TOOLS = Rule(How.WORD, Shape("tool", {"type": WORD, "function": of(_DEFINITION), "custom": of(_CUSTOM)}), Role.SYSTEM, Kind.TOOL_DEFINITION)
_NAMED = Shape("named tool", {"type": WORD, "name": TEXT})
CHOICE = Rule(
    How.WORD,
    Shape("tool choice", {
        **fields(WORD, "type mode"), **fields(TEXT, "name server_label"), **fields(of(_NAMED), "function custom tools"),
        "allowed_tools": of(Shape("allowed tools", {"mode": WORD, "tools": of(Shape("allowed tool", {
            "type": WORD, "name": TEXT, "function": of(_NAMED), "custom": of(_NAMED), "server_label": TEXT,
        }))})),
    }),
    Role.SYSTEM, Kind.TOOL_DEFINITION,
)  # fmt: skip
FORMAT = Rule(
    How.WORD,
    Shape("response_format", {"type": WORD, "json_schema": of(Shape("json_schema", {
        **fields(TEXT, "name description"), "schema": SCHEMA, "strict": NUMBER,
    }))}),
    Role.SYSTEM, Kind.TOOL_DEFINITION,
)  # fmt: skip

_BREAKPOINT = of(Shape("breakpoint", {"mode": WORD, "ttl": WORD, "type": WORD}), How.WORD)
INPUT_AUDIO = of(Shape("input_audio", {"data": AUDIO, "format": WORD}))
PART = Shape(
    "content part",
    {
        **fields(WORD, "type detail"), **fields(TEXT, "text refusal filename"), **fields(IDENTIFIER, "file_id"),
        "image_url": Rule(How.MEDIA, Shape("image_url", {"url": IMAGE, "detail": WORD}), media=Kind.IMAGE),
        "input_audio": INPUT_AUDIO,
        "file": of(Shape("file", {"filename": TEXT, "file_data": FILE, "file_id": IDENTIFIER})),
        "file_data": FILE, "prompt_cache_breakpoint": _BREAKPOINT, "cache_control": _BREAKPOINT,
    },
)  # fmt: skip

_FUNCTION = Shape("function call", {"name": TEXT, "arguments": JSON})
CALL = Shape(
    "tool call",
    {
        "id": IDENTIFIER, "type": WORD, "index": NUMBER, "function": of(_FUNCTION),
        "custom": of(Shape("custom call", {"name": TEXT, "input": TEXT})),
    },
)  # fmt: skip
ANNOTATION = Shape(
    "annotation",
    {
        **fields(WORD, "type"), **fields(IDENTIFIER, "file_id container_id"), **fields(TEXT, "title filename"), "url": URL,
        **fields(NUMBER, "index start_index end_index"),
    },
)  # fmt: skip
ANNOTATION.fields["url_citation"] = of(ANNOTATION)

MESSAGE = Shape(
    "message",
    {
        "role": WORD, "content": of(PART), **fields(TEXT, "name refusal reasoning_content reasoning"), "tool_call_id": IDENTIFIER,
        "tool_calls": Rule(How.TEXT, CALL, kind=Kind.TOOL_CALL), "function_call": Rule(How.TEXT, _FUNCTION, kind=Kind.TOOL_CALL),
        "annotations": Rule(How.TEXT, ANNOTATION, Role.DOCUMENT),
        "audio": of(Shape("audio", {"id": IDENTIFIER, "data": AUDIO, "transcript": TEXT, "expires_at": NUMBER})),
        "cache_control": _BREAKPOINT,
    },
    roles=True,
)  # fmt: skip

REQUEST = Shape(
    "request",
    {
        "model": IDENTIFIER, "messages": of(MESSAGE), "tools": TOOLS, "tool_choice": CHOICE, "function_call": CHOICE,
        "functions": Rule(How.TEXT, _DEFINITION, Role.SYSTEM, Kind.TOOL_DEFINITION), "response_format": FORMAT,
        "prediction": of(Shape("prediction", {"type": WORD, "content": of(PART)})),
        **fields(TEXT, "user stop prompt_cache_key safety_identifier"), "metadata": METADATA, "logit_bias": FREE,
        "audio": of(Shape("audio format", {"format": WORD, "voice": Rule(How.IDENTIFIER, Shape("voice", {"id": IDENTIFIER}))})),
        "moderation": FREE, "web_search_options": FREE,
        "prompt_cache_options": of(Shape("cache options", fields(WORD, "mode ttl prewarm"), ), How.WORD),
        "stream_options": of(Shape("stream options", fields(NUMBER, "include_usage include_obfuscation")), How.WORD),
        **fields(WORD, "reasoning_effort service_tier modalities verbosity prompt_cache_retention"),
        **fields(
            NUMBER,
            "stream temperature top_p n max_tokens max_completion_tokens presence_penalty frequency_penalty logprobs top_logprobs seed "
            "parallel_tool_calls store",
        ),
    },
)  # fmt: skip

_HEAD = {**fields(IDENTIFIER, "id model system_fingerprint"), **fields(WORD, "object service_tier"), "created": NUMBER, "usage": NUMBER}
ANSWER = Shape(
    "answer",
    {
        **_HEAD, "metadata": METADATA, "moderation": FREE,
        "choices": Rule(How.TEXT, Shape("choice", {
            "index": NUMBER, "finish_reason": WORD, "message": of(MESSAGE), "logprobs": LOGPROBS,
        }), Role.ASSISTANT),
        "error": FREE,
    },
)  # fmt: skip
CHUNK_HEAD = Shape("chunk", {**_HEAD, "moderation": FREE, "error": FREE})
