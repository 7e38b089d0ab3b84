"""The encoder stage's engine: an ONNX session and a tokenizer from bytes, for `affiant.guards.encoder`.

Needs the extra `affiant[encoder]` (onnxruntime, tokenizers), imported only when an encoder is opened. One thread a session:
workers are processes, and a pool of threads in each would fight for the same cores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from affiant.guards.encoder import Encoded, Encoder

_FIRST, _LAST = "[CLS]", "[SEP]"
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Lone surrogates have no UTF-8 form; one replacement character for each keeps the offsets."""


class EncoderMissing(Exception):
    """The packages of the encoder extra are not installed, or the model cannot be read."""


def open_encoder(model: bytes, tokenizer: bytes) -> Encoder:
    """An encoder from the bytes of its ONNX file and of its tokenizer.json.

    Raises EncoderMissing with what to do: where the extra is not installed, or one of the files cannot be read.
    """
    runtime, words = _package("onnxruntime"), _package("tokenizers")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = options.enable_cpu_mem_arena = False
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own kinds derive from nothing narrower
        raise EncoderMissing(f"the injection encoder cannot be read ({error}); reinstall affiant or run `make models`") from error
    try:
        spelled = words.Tokenizer.from_str(tokenizer.decode("utf-8"))
    except Exception as error:  # tokenizers raises plain Exception
        raise EncoderMissing(f"the encoder's tokenizer cannot be read ({error}); reinstall affiant or run `make models`") from error
    spelled.no_padding()
    spelled.no_truncation()
    first, last = spelled.token_to_id(_FIRST), spelled.token_to_id(_LAST)
    if first is None or last is None:
        raise EncoderMissing(f"the encoder's tokenizer lacks {_FIRST} or {_LAST}; reinstall affiant or run `make models`")

    def tokenize(text: str) -> Encoded:
        found = spelled.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False)
        return found.ids, found.offsets

    def logits(rows: Sequence[Sequence[int]], kinds: Sequence[int]) -> list[float]:
        return _run(session, rows, kinds)

    return Encoder(tokenize, logits, first, last)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise EncoderMissing(f"the encoder stage needs {name}; install it with `pip install 'affiant[encoder]'`") from error


def _run(session: Any, rows: Sequence[Sequence[int]], kinds: Sequence[int]) -> list[float]:
    """Logits of rows, padded to the longest one."""
    shape = (len(rows), max(len(row) for row in rows))
    ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    types = np.broadcast_to(np.asarray(kinds, dtype=np.int64)[:, None], shape)
    found = session.run(["logit"], {"ids": ids, "types": np.ascontiguousarray(types), "mask": mask})[0]
    return [float(value) for value in found]
