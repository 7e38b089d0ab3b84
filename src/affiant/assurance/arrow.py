"""Rows of DuckDB by column, over the Arrow C stream interface: numpy arrays of what it computed, with no Python object for a cell.

The interface is a stable layout of three C structures (arrow.apache.org/docs/format/CStreamInterface.html), so that no library besides
numpy is needed. Leaves out: queries (`columns`), and types other than 64-bit integers and text.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np

from affiant.kit.blocks import Block, Column, Text

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_NUMBER, _TEXT = b"l", b"u"
_ERRORS = (("Out of Memory Error", duckdb.OutOfMemoryException), ("IO Error", duckdb.IOException))


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(_Schema))), ("dictionary", ctypes.POINTER(_Schema)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))), ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64), ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)), ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)), ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))), ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))), ("private_data", ctypes.c_void_p),
]  # fmt: skip


def rows_of(relation: Any) -> Iterator[Block]:
    """Rows of a relation as they come; its columns are BIGINT and VARCHAR. Its connection may do nothing else until the last was taken.

    Raises:
        duckdb.Error: it cannot be computed.
        ValueError: a column has another type.
    """
    capsule = relation.__arrow_c_stream__()  # owns the stream, and releases it when it goes
    stream = _Stream.from_address(_pointer(capsule, b"arrow_array_stream"))
    kinds = _kinds(stream)
    while True:
        array = _Array()
        _good(stream, stream.get_next(stream, array))
        if not array.release:
            return
        try:
            columns = [_column(array.children[number].contents, kind) for number, kind in enumerate(kinds)]
        finally:
            array.release(array)
        if columns and len(columns[0]):
            yield Block(columns)


def _good(stream: _Stream, code: int) -> None:
    if code:
        said = (stream.get_last_error(stream) or b"").decode(errors="replace")
        raise next((kind for begin, kind in _ERRORS if said.startswith(begin)), duckdb.Error)(said or f"error {code}")


def _kinds(stream: _Stream) -> list[bytes]:
    schema = _Schema()
    _good(stream, stream.get_schema(stream, schema))
    try:
        kinds = [bytes(schema.children[number].contents.format) for number in range(schema.n_children)]
    finally:
        schema.release(schema)
    if not {_NUMBER, _TEXT}.issuperset(kinds):
        raise ValueError(f"DuckDB gives columns of the types {kinds}.")
    return kinds


def _column(array: _Array, kind: bytes) -> Column:
    """A copy of a column: what it is made from goes with its array."""
    count, first = array.length, array.offset
    column: Column
    if kind == _NUMBER:
        column = np.frombuffer(_bytes(array.buffers[1], first * 8, count * 8), np.int64)
    else:
        ends = np.frombuffer(_bytes(array.buffers[1], first * 4, (count + 1) * 4), np.int32).astype(np.int64)
        column = Text(ends - ends[0], _bytes(array.buffers[2], int(ends[0]), int(ends[-1] - ends[0])))
    if array.null_count and array.buffers[0]:
        bits = np.frombuffer(_bytes(array.buffers[0], first // 8, (first % 8 + count + 7) // 8), np.uint8)
        there = np.unpackbits(bits, bitorder="little")[first % 8 : first % 8 + count]
        return [cell if known else None for cell, known in zip(column.tolist(), there.tolist(), strict=True)]
    return column


def _bytes(address: int | None, start: int, length: int) -> bytes:
    return ctypes.string_at(address + start, length) if address and length else b""
