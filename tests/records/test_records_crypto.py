"""Salted commitments, sealing and passwords."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from affiant.kit.crypto import check_password, commit, commit_digest, hash_password, salt, seal, unseal
from affiant.kit.errors import BadInput

pytestmark = pytest.mark.own_file
KEY = bytes(range(32))


def test_a_salt_and_a_digest_open_one_commitment() -> None:
    """HMAC over the documented bytes: the salt of one field opens that field's commitment from the data's hash, and no other."""
    one = salt(KEY, "xc_1", "commit_received")
    assert one == hmac.new(KEY, b"xc_1\x00commit_received", hashlib.sha256).digest()
    assert commit(one, b"hello") == commit_digest(one, hashlib.sha256(b"hello").digest())
    assert commit(one, b"hello") == hmac.new(one, hashlib.sha256(b"hello").digest(), hashlib.sha256).hexdigest()
    assert len({salt(KEY, "xc_1", "commit_sent"), salt(KEY, "xc_2", "commit_received"), one}) == 3


def test_sealed_bytes_open_under_their_key_and_context_only() -> None:
    """Another key, another context or a flipped bit opens nothing."""
    sealed = seal(KEY, b"plain", b"here")
    assert unseal(KEY, sealed, b"here") == b"plain"
    for key, data, context in (
        (KEY[::-1], sealed, b"here"),
        (KEY, sealed, b"there"),
        (KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"here"),
        (KEY, b"", b""),
    ):
        with pytest.raises(BadInput, match="do not open"):
            unseal(key, data, context)


def test_passwords_match_themselves_only() -> None:
    """A hash fits its password; no hash fits nothing."""
    stored = hash_password("correct horse")
    assert check_password("correct horse", stored)
    assert not check_password("correct hors", stored)
    assert not check_password("", "")
