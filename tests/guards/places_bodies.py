"""Whole bodies of the four formats, valid for the official packages, and a redactor that knows one value."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from affiant.guards.model import Part
from affiant.guards.places import Lane

CANARY = "dana.whitfield@example.com"
SAFE = "[EMAIL]"
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NOTE = "data:text/plain;base64," + base64.b64encode(b"a note").decode()
SCHEMA = {
    "type": "object", "properties": {"to": {"type": ["string", "null"], "description": "whom", "enum": ["a", "b"], "default": "a"}},
    "required": ["to"], "examples": [{"to": "a"}], "additionalProperties": False,
}  # fmt: skip
LOGPROBS = {
    "content": [
        {"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": [{"token": "b", "bytes": [98], "logprob": -2.0}]},
        {"token": "c", "bytes": None, "logprob": -0.1, "top_logprobs": []},
    ],
    "refusal": None,
}  # fmt: skip
REQUESTS: dict[str, dict[str, Any]] = {
    "chat.completions": {
        "model": "m-1", "user": "u", "stop": ["stop"], "metadata": {"team": "red"}, "prompt_cache_key": "k", "safety_identifier": "s",
        "temperature": 0.5, "logprobs": True, "top_logprobs": 2, "seed": 7, "logit_bias": {"50256": -100},
        "prediction": {"type": "content", "content": [{"type": "text", "text": "guess"}]},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": SCHEMA}},
        "tool_choice": {"type": "function", "function": {"name": "send"}},
        "tools": [
            {"type": "function", "function": {"name": "send", "description": "sends", "parameters": SCHEMA}},
            {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "grammar", "grammar": {
                "definition": "start: x", "syntax": "lark"}}}},
        ],
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}},
        "messages": [
            {"role": "system", "content": "be kind", "name": "boss"},
            {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "hello"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png?u=1", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": PNG}},
                {"type": "file", "file": {"filename": "n.txt", "file_data": NOTE}},
                {"type": "input_audio", "input_audio": {"data": "UklGRgD/gA==", "format": "wav"}},
            ]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": "no", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": '{"to": "a", "n": [1, {"deep": "b"}]}'}},
                {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "free"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sent"},
            {"role": "tool", "tool_call_id": "call_2", "content": '{"said": "a\\"b"}'},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "x"},
        ],
    },
    "responses": {
        "model": "m-1", "instructions": "be kind", "user": "u", "metadata": {"team": "red"}, "previous_response_id": "resp_1",
        "prompt_cache_key": "k", "text": {"format": {"type": "json_schema", "name": "n", "description": "d", "schema": SCHEMA}},
        "prompt": {"id": "pmpt_1", "variables": {"who": "ann", "what": {"type": "input_text", "text": "x"}}}, "tool_choice": "auto",
        "tools": [
            {"type": "function", "name": "send", "description": "sends", "parameters": SCHEMA, "strict": True},
            {"type": "mcp", "server_label": "desk", "server_url": "https://example.com/mcp", "allowed_tools": ["t"]},
            {"type": "file_search", "vector_store_ids": ["vs_1"]},
            {"type": "web_search", "filters": {"allowed_domains": ["example.com"]}},
        ],
        "input": [
            {"role": "user", "content": "hello"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_image", "image_url": PNG, "detail": "low"}, {"type": "input_file", "filename": "n.txt", "file_data": NOTE},
                {"type": "input_file", "file_url": "https://example.com/n.txt"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thought"}],
             "content": [{"type": "reasoning_text", "text": "deep"}], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "call_1", "name": "send", "arguments": '{"to":"a"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "sent"},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "sent"}]},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "c", "input": "free"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": "done"},
            {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"],
             "results": [{"file_id": "file_1", "filename": "n.txt", "text": "found", "attributes": {"by": "ann"}}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "container_id": "c_1", "code": "print(1)",
             "outputs": [{"type": "logs", "logs": "1"}]},
            {"type": "local_shell_call", "id": "ls_1", "call_id": "call_3", "status": "completed",
             "action": {"type": "exec", "command": ["ls"], "env": {"HOME": "h"}}},
            {"type": "local_shell_call_output", "id": "ls_1", "output": "files"},
            {"type": "mcp_call", "id": "mcp_1", "name": "t", "server_label": "desk", "arguments": "{}", "output": "ok"},
            {"type": "mcp_list_tools", "id": "ml_1", "server_label": "desk", "tools": [{"name": "t", "input_schema": SCHEMA}]},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                {"type": "output_text", "text": "hi", "annotations": [
                    {"type": "url_citation", "url": "https://example.com", "title": "t", "start_index": 0, "end_index": 1}]},
                {"type": "refusal", "refusal": "no"},
            ]},
        ],
    },
    "messages": {
        "model": "m-1", "max_tokens": 16, "metadata": {"user_id": "u"}, "stop_sequences": ["stop"],
        "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "tool", "name": "send"},
        "tools": [{"name": "send", "description": "sends", "input_schema": SCHEMA, "input_examples": [{"to": "a"}]}],
        "messages": [
            {"role": "user", "content": "hello"},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG.partition(",")[2]}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "title": "t", "context": "c", "source": {"type": "text", "media_type": "text/plain", "data": "plain"},
                 "citations": {"enabled": True}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "in it"}]}},
                {"type": "search_result", "source": "https://example.com/s", "title": "t", "content": [{"type": "text", "text": "s"}]},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "deep", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "ZW5j"},
                {"type": "text", "text": "hi", "citations": [{"type": "char_location", "cited_text": "c", "document_index": 0,
                 "document_title": "t", "start_char_index": 0, "end_char_index": 1}]},
                {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": "a", "id": "x", "type": "y", "n": {"deep": ["b"]}}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sent"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": False, "content": [
                    {"type": "text", "text": "sent"},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                    {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "s"}]}]},
            ]},
        ],
    },
    "embeddings": {"model": "m-1", "input": ["one", "two"], "user": "u", "encoding_format": "float"},
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "chat.completions": {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-1", "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": LOGPROBS, "message": {
            "role": "assistant", "content": "hi", "refusal": None, "reasoning_content": "thought",
            "annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "title": "t",
                                                                      "url": "https://example.com"}}],
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "send", "arguments": '{"to": "a"}'}}],
            "audio": {"id": "audio_1", "data": "UklGRgD/gA==", "transcript": "said", "expires_at": 1},
        }}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    "responses": {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m-1", "instructions": "be kind", "metadata": {"team": "red"},
        "status": "completed", "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto",
        "tools": REQUESTS["responses"]["tools"][:1], "user": "u", "text": {"format": {"type": "text"}},
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thought"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "send", "arguments": '{"to":"a"}', "status": "completed"},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "hi", "logprobs": LOGPROBS["content"][:1], "annotations": [
                    {"type": "file_citation", "file_id": "file_1", "filename": "n.txt", "index": 0}]},
                {"type": "refusal", "refusal": "no"}]},
        ],
    },
    "messages": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "stop_reason": "stop_sequence", "stop_sequence": "stop",
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [
            {"type": "thinking", "thinking": "deep", "signature": "c2ln"},
            {"type": "text", "text": "hi", "citations": [{"type": "web_search_result_location", "cited_text": "c", "encrypted_index": "e",
                                                          "title": "t", "url": "https://example.com"}]},
            {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": "a"}},
        ],
    },
    "embeddings": {
        "object": "list", "model": "m-1", "usage": {"prompt_tokens": 1, "total_tokens": 1},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
    },
}  # fmt: skip


def redacted(text: str) -> str:
    """What the redactor makes of a text."""
    return text.replace(CANARY, SAFE)


def change(part: Part) -> str:
    return redacted(part.text)


def leaks(value: Any, canary: str = CANARY) -> bool:
    """Whether the canary is in the serialized value: as it is, escaped, percent-encoded, or in base64."""
    text = json.dumps(value, ensure_ascii=False)
    forms = {text, re.sub(r"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)}
    forms |= {re.sub(r"%([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), form) for form in forms}
    for run in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        try:
            forms.add(base64.b64decode(run + "=" * (-len(run) % 4)).decode("utf-8", "replace"))
        except ValueError:
            continue
    return any(canary in form for form in forms)


class Redactor:
    """`Texts` that redacts the canary; holds back what may still become it."""

    def __init__(self, canary: str = CANARY) -> None:
        self.canary = canary
        self.looked: list[Part] = []
        self.lanes: list[Lane] = []

    def text(self, part: Part) -> str:
        return part.text.replace(self.canary, SAFE)

    def fixed(self, part: Part) -> None:
        self.looked.append(part)

    def scanner(self, lane: Lane) -> RedactScanner:
        self.lanes.append(lane)
        return RedactScanner(self.canary)


class RedactScanner:
    """Holds the longest suffix that is a beginning of the canary."""

    def __init__(self, canary: str) -> None:
        self._canary, self._held = canary, ""

    def feed(self, text: str) -> str:
        text = (self._held + text).replace(self._canary, SAFE)
        keep = next((n for n in range(min(len(self._canary) - 1, len(text)), 0, -1) if self._canary.startswith(text[-n:])), 0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        text, self._held = self._held, ""
        return text
