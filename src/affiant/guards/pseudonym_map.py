"""The mapping of placeholders to originals, kept for a stated time: sealed by the caller's cipher, expiring by the caller's clock.

Leaves out: the cipher, the clock and the place where sealed bytes lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from affiant.kit.errors import BadInput

VERSION = 1
MAX_ENTRIES = 100_000


class MapUnusable(BadInput):
    """Sealed bytes are not a mapping, were made with another key, or their time has passed."""

    code = "pseudonym_map_unusable"


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    expires: int
    entries: dict[str, str]


@dataclass(frozen=True, slots=True)
class PseudonymMap:
    """A mapping.

    Args:
        entries: placeholder -> original.
        expires: when it ends, in the units of the caller's clock.
    """

    entries: Mapping[str, str]
    expires: int

    def seal(self, encrypt: Callable[[bytes], bytes]) -> bytes:
        """Sealed bytes.

        Args:
            encrypt: an authenticated cipher, such as AES-GCM under a key of the tenant.
        """
        return encrypt(msgspec.json.encode(_Wire(VERSION, self.expires, dict(self.entries))))

    @classmethod
    def unseal(cls, sealed: bytes, decrypt: Callable[[bytes], bytes], now: int) -> PseudonymMap:
        """The mapping of sealed bytes.

        Args:
            decrypt: undoes `encrypt`; what it raises on bytes that it did not seal is passed on.
            now: by the caller's clock.

        Raises:
            MapUnusable: no mapping, of a later version, too large, or past its end.
        """
        try:
            wire = msgspec.json.decode(decrypt(sealed), type=_Wire)
        except msgspec.DecodeError:
            raise MapUnusable("The sealed bytes hold no mapping of pseudonyms.", "Remove them; new exchanges make new ones.") from None
        if wire.version != VERSION:
            raise MapUnusable(f"The mapping is of version {wire.version}.", "Read it with the version of Affiant that wrote it.")
        if len(wire.entries) > MAX_ENTRIES:
            raise MapUnusable(f"The mapping has more than {MAX_ENTRIES:,} entries.", "Remove it; new exchanges make new ones.")
        if now >= wire.expires:
            raise MapUnusable("The mapping's time has passed.", "Remove it; placeholders of that time stay as they are.")
        return cls(wire.entries, wire.expires)
