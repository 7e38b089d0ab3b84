"""One entry's proof as a file that any C2SP tool reads (c2sp.org/tlog-proof@v1): index, audit path, checkpoint.

`extra` is opaque and not authenticated. Leaves out: the entry itself, which is given beside the file.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Tuple

from .errors import Malformed
from .hashes import leaf_hash, verify_inclusion
from .note import Checkpoint, Note

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63


@dataclass(frozen=True)
class TlogProof:
    """A proof that entry `index` is in the tree of `checkpoint` (a signed note, as bytes)."""

    index: int
    path: Tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        lines = [HEADER]
        if self.extra:
            lines.append("extra " + base64.b64encode(self.extra).decode())
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(hash_).decode() for hash_ in self.path]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> "TlogProof":
        """Read a file.

        Raises:
            Malformed: it is none.
        """
        head, separator, checkpoint = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
            if not separator or lines.pop(0) != HEADER:
                raise Malformed("This is no tlog-proof of version 1.")
            extra = base64.b64decode(lines.pop(0)[6:], validate=True) if lines and lines[0].startswith("extra ") else b""
            match = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines.pop(0) if lines else "")
            path = tuple(base64.b64decode(line, validate=True) for line in lines)
        except (UnicodeDecodeError, binascii.Error):
            raise Malformed("A tlog-proof has something else than base64 lines.") from None
        if match is None or len(path) > MAX_HASHES or any(len(hash_) != 32 for hash_ in path):
            raise Malformed("A tlog-proof has no proper index or hashes.")
        return cls(int(match.group(1)), path, checkpoint, extra)

    def verify(self, entry: bytes) -> Checkpoint:
        """Check the audit path for an entry's bytes and give the checkpoint, whose signatures remain to be checked.

        Raises:
            Lie: the entry is not shown to be there.
        """
        checkpoint = Checkpoint.parse(Note.parse(self.checkpoint).text)
        verify_inclusion(self.index, checkpoint.size, leaf_hash(entry), self.path, checkpoint.root)
        return checkpoint
