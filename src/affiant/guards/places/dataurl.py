"""Text inside data URLs and base64: opened where it decodes to text, written back in the same form.

Leaves out: pictures, sound, PDF and other binary forms, which pass uninspected and are counted.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from affiant.guards.model import Kind

_HEAD = re.compile(r"\s*data:([^,;\s]*)((?:;[^,;]*)*?)(;base64)?,", re.IGNORECASE)
_HEAD_LIMIT = 512
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\r\n]+={0,2}\s*")
_TEXTUAL = re.compile(
    r"text/.*|(?:application|image)/(?:[\w.+-]*\+)?(?:json|xml|yaml|x-yaml|csv|javascript|x-ndjson|jsonl|sql|x-www-form-urlencoded|toml|rtf)",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")
SHORT = 1024  # characters of raw base64 below which it is read as a text as well, because a short word may look like base64


@dataclass(frozen=True, slots=True)
class Opened:
    """A text and the way back.

    Args:
        text: what it holds.
        close: gives the string that holds another text.
    """

    text: str
    close: Callable[[str], str]


def media_kind(value: str, default: Kind) -> Kind:
    """What a data URL that cannot be read is counted as."""
    head = _HEAD.match(value[:_HEAD_LIMIT])
    family = head[1].partition("/")[0].lower() if head else ""
    return {"image": Kind.IMAGE, "audio": Kind.AUDIO, "video": Kind.IMAGE}.get(family, default if not family else Kind.FILE)


def is_data_url(value: str) -> bool:
    """Whether the string is a data URL."""
    return _HEAD.match(value[:_HEAD_LIMIT]) is not None


def is_broken(value: str) -> bool:
    """Whether the string is a data URL that says base64 and holds none."""
    head = _HEAD.match(value[:_HEAD_LIMIT])
    return head is not None and bool(head[3]) and _from_base64(value[head.end() :]) is None


def open_url(value: str) -> Opened | None:
    """The text of a data URL; None where it holds none that can be read."""
    head = _HEAD.match(value[:_HEAD_LIMIT])
    if head is None:
        return None
    start, body = value[: head.end()], value[head.end() :]
    if not head[3]:
        raw: bytes | None = unquote_bytes(body)
        return _opened(raw, head[1], lambda data: start + quote(data))
    raw = _from_base64(body)
    return _opened(raw, head[1], lambda data: start + base64.b64encode(data).decode())


def open_base64(value: str) -> Opened | None:
    """The text of a string that is base64; None where it is none, or holds no text."""
    if not _BASE64.fullmatch(value):
        return None
    return _opened(_from_base64(value), "", lambda data: base64.b64encode(data).decode())


def is_base64(value: str) -> bool:
    """Whether a string can be decoded as base64."""
    return len(value) >= 8 and _BASE64.fullmatch(value) is not None and _from_base64(value) is not None


def _from_base64(text: str) -> bytes | None:
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _opened(raw: bytes | None, media: str, close: Callable[[bytes], str]) -> Opened | None:
    """Bytes as text: where they are declared as text, or look it."""
    if raw is None:
        return None
    declared = not media or _TEXTUAL.fullmatch(media) is not None
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return _marked(raw, codec, close)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        if not declared or not media:
            return None
        return Opened(raw.decode("latin-1"), lambda text: close(text.encode("latin-1", "backslashreplace")))
    if (not declared or not media) and _CONTROL.search(text):
        return None
    return Opened(text, lambda text: close(text.encode("utf-8", "surrogatepass")))


def _marked(raw: bytes, codec: str, close: Callable[[bytes], str]) -> Opened:
    """Bytes that name their encoding by a mark; what it does not have is kept apart by the replacement character."""
    return Opened(raw.decode(codec, "replace"), lambda text: close(text.encode(codec, "surrogatepass")))


_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUOTED = [chr(code) if code in _SAFE else f"%{code:02X}" for code in range(256)]


def quote(data: bytes) -> str:
    """Percent-encoding of everything but unreserved characters."""
    return "".join(map(_QUOTED.__getitem__, data))


def unquote_bytes(text: str) -> bytes:
    """The bytes of a percent-encoded text."""
    return _HEX.sub(lambda m: bytes([int(m[1], 16)]), text.encode("utf-8", "surrogatepass"))


_NOT_IN_URL = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]")


def open_percent(value: str) -> Opened | None:
    """A URL with percent-encoding undone; None where there is none."""
    if "%" not in value:
        return None
    text = unquote_bytes(value).decode("utf-8", "replace")
    return Opened(text, lambda changed: _NOT_IN_URL.sub(lambda m: quote(m[0].encode("utf-8", "surrogatepass")), changed))
