"""As much of DER (X.690) as a time-stamp request and its answer need: writing six types, reading nested definite-length items.

Leaves out: signatures and certificates, which are `openssl ts -verify`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

INTEGER, OCTETS, NULL, OID, SEQUENCE, BOOLEAN = 0x02, 0x04, 0x05, 0x06, 0x30, 0x01
MAX_DEPTH = 24


class NotDer(Exception):
    """The bytes are not DER of the form that was asked for."""


def _item(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def sequence(*items: bytes) -> bytes:
    """A SEQUENCE of items that are written already."""
    return _item(SEQUENCE, b"".join(items))


def integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return _item(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data: bytes) -> bytes:
    """An OCTET STRING."""
    return _item(OCTETS, data)


def boolean(value: bool) -> bytes:
    """A BOOLEAN."""
    return _item(BOOLEAN, b"\xff" if value else b"\x00")


def null() -> bytes:
    """NULL."""
    return _item(NULL, b"")


def oid(text: str) -> bytes:
    """An OBJECT IDENTIFIER such as `1.2.840`."""
    first, second, *rest = (int(part) for part in text.split("."))
    content = bytearray()
    for value in (40 * first + second, *rest):
        groups = [value & 0x7F]
        while value := value >> 7:
            groups.append(0x80 | value & 0x7F)
        content += bytes(reversed(groups))
    return _item(OID, bytes(content))


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its tag and what is inside."""

    tag: int
    content: bytes

    def children(self) -> list[Item]:
        """The items inside a constructed one."""
        if not self.tag & 0x20:
            raise NotDer(f"An item with the tag {self.tag:#x} holds no items.")
        found, at = [], 0
        while at < len(self.content):
            item, at = _read(self.content, at)
            found.append(item)
        return found

    def integer(self) -> int:
        """Value of an INTEGER."""
        if self.tag != INTEGER or not self.content:
            raise NotDer("An INTEGER was due.")
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self) -> str:
        """Text of an OBJECT IDENTIFIER."""
        if self.tag != OID or not self.content or self.content[-1] & 0x80:
            raise NotDer("An OBJECT IDENTIFIER was due.")
        values, value = [], 0
        for byte in self.content:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                values.append(value)
                value = 0
        first = min(values[0] // 40, 2)
        return ".".join(map(str, (first, values[0] - 40 * first, *values[1:])))

    def texts(self, depth: int = 0) -> str:
        """Texts inside, for a message."""
        if depth > MAX_DEPTH:
            raise NotDer("Items are nested too deeply.")
        if self.tag & 0x20:
            return " ".join(filter(None, (item.texts(depth + 1) for item in self.children())))
        return self.content.decode("utf-8", "replace") if self.tag in (0x0C, 0x13, 0x16) else ""


def read(data: bytes) -> Item:
    """The one item that the bytes are.

    Raises:
        NotDer: they are something else, or more.
    """
    item, end = _read(data, 0)
    if end != len(data):
        raise NotDer("There are bytes behind the item.")
    return item


def _read(data: bytes, at: int) -> tuple[Item, int]:
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        raise NotDer("The bytes end inside an item, or it has a long tag.")
    tag, size, begin = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or begin + count > len(data):
            raise NotDer("An item has an indefinite or over-long length.")
        size, begin = int.from_bytes(data[begin : begin + count], "big"), begin + count
    if begin + size > len(data):
        raise NotDer("The bytes end inside an item.")
    return Item(tag, data[begin : begin + size]), begin + size
