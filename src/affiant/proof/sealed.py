"""A sealed field: the entry holds a salted commitment, the value lies encrypted beside the ledger.

Whoever is shown salt and value can check:

    commitment = HMAC-SHA256(salt, SHA-256(value)) as hex; the salt has 32 random bytes, the value is UTF-8.

Without the salt nothing can be guessed from a commitment, however short the value is. Leaves out: where values lie and how they are
destroyed (the product's affair), and whether the entry is in the ledger (`tlogproof`).
"""

from __future__ import annotations

import hashlib
import hmac

from .errors import Lie, Malformed


def commitment(salt: bytes, value: str) -> str:
    """The commitment (hex) to a value."""
    if len(salt) != 32:
        raise Malformed("The salt of a sealed field has 32 bytes.")
    return hmac.new(salt, hashlib.sha256(value.encode("utf-8")).digest(), hashlib.sha256).hexdigest()


def check_reveal(committed: str, salt: str, value: str) -> None:
    """Check a value that was revealed against the commitment in an entry.

    Raises:
        Malformed: the salt is none.
        Lie: another value, or another salt, was committed to.
    """
    try:
        given = bytes.fromhex(salt)
    except ValueError:
        raise Malformed("The salt of a sealed field is not hexadecimal.") from None
    if not hmac.compare_digest(commitment(given, value).encode(), committed.encode()):
        raise Lie("The value shown is not the one that the entry commits to.")
