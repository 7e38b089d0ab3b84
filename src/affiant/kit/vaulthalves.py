"""One half of each subject's key in a KV version 2 engine of Vault or OpenBao, where every node reaches it.

`AFFIANT_SUBJECTS=vault:MOUNT/PREFIX`. Each half is a secret of its own, `PREFIX/TAG`, whose tag names no subject in the clear; destroying
it deletes the secret's metadata, and with it all its versions. `PREFIX/store` says whose store it is: without it no half counts as
destroyed, so that a wrong address, mount or prefix is told from a destroyed key. Vault's own copies (snapshots, storage backups) hold a
half until they are gone. Leaves out: the store of one node (`halves`), how Vault is spoken to (`vault`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from affiant.kit.errors import BadInput, CouldNotLook, Forbidden, NotFound
from affiant.kit.home import Home
from affiant.kit.secretref import resolve
from affiant.kit.vault import KvPath, VaultClient

_STORE = "store"
_NEEDED = ("create", "read")  # never update: a half that is there is not overwritten
_SET = "Set AFFIANT_SUBJECTS to where they lie, or restore Vault; nothing was destroyed or made."


class VaultHalves:
    """The store.

    Args:
        home: whose; all nodes of a ledger have one origin, and so one store.
        master: hides subjects' names in it.
        where: below which path.
    """

    shared = True

    def __init__(self, home: Home, master: bytes, where: KvPath) -> None:
        self._name = hmac.digest(master, b"affiant/subject-halves/" + home.origin.encode(), "sha256")
        self._where = where

    def _path(self, subject: str) -> KvPath:
        return self._where / hmac.digest(self._name, subject.encode(), hashlib.sha256).hex()

    def _whose(self) -> str:
        return hmac.digest(self._name, b"store", "sha256").hex()

    @property
    def there(self) -> bool:
        """Whether the store exists, and is this ledger's.

        Raises:
            CouldNotLook: Vault cannot be asked, or the store is another ledger's.
        """
        with _asking() as vault:
            found = vault.kv_read(self._where / _STORE)
        if found is not None and found.get("ledger") != self._whose():
            raise CouldNotLook(f"{self._where} holds key halves of another ledger, or of another keyring.", _SET)
        return found is not None

    def _check(self) -> None:
        if not self.there:
            raise CouldNotLook(f"The store of subjects' key halves is not at {self._where}.", _SET)

    def make(self, subject: str, first: bool) -> bytes:
        """A fresh half, in Vault when this returns. One that was there before is destroyed with all its versions.

        Args:
            first: whether no subject has one yet: only then a missing store may be made.

        Raises:
            CouldNotLook: Vault cannot be asked, or the store is not there.
        """
        half = secrets.token_bytes(32)
        with _asking() as vault:
            if not self.there:
                if not first:
                    self._check()
                vault.kv_create(self._where / _STORE, {"v": "1", "ledger": self._whose()})
            vault.kv_destroy(self._path(subject))
            vault.kv_create(self._path(subject), {"half": half.hex()})
        if self.get(subject) != half:
            raise CouldNotLook(f"Vault does not give back what was put at {self._where}.", "Is it a KV engine of version 2?")
        return half

    def put(self, subject: str, half: bytes) -> None:
        """Take over a half from another store; the same one again is no fault. Makes the store if it is not there.

        Raises:
            CouldNotLook: Vault cannot be asked, or holds another half of that subject.
        """
        with _asking() as vault:
            if not self.there:
                vault.kv_create(self._where / _STORE, {"v": "1", "ledger": self._whose()})
            if self.get(subject) is None:
                vault.kv_create(self._path(subject), {"half": half.hex()})
        if self.get(subject) != half:
            raise CouldNotLook(f"{self._where} holds another half of the key of {subject}.", "Use a prefix that no other home uses.")

    def get(self, subject: str) -> bytes | None:
        """A subject's half, or None if it was destroyed.

        Raises:
            CouldNotLook: Vault cannot be asked, or the store is not there.
        """
        with _asking() as vault:
            found = vault.kv_read(self._path(subject))
        if found is None:
            self._check()
            return None
        try:
            half = bytes.fromhex(found.get("half", ""))
        except ValueError:
            half = b""
        if len(half) != 32:
            raise CouldNotLook(f"A secret below {self._where} is no half of a key.", "See who else writes there.")
        return half

    def missing(self, subjects: Sequence[str]) -> list[str]:
        """Of these subjects those whose half was destroyed; asks once for all.

        Raises:
            CouldNotLook: Vault cannot be asked, or the store is not there.
        """
        with _asking() as vault:
            names = set(vault.kv_list(self._where))
        self._check()
        return [subject for subject in subjects if self._path(subject).name not in names]

    def destroy(self, subject: str) -> bool:
        """Delete a subject's half with all its versions, and see that it is gone; whether there was one.

        Raises:
            CouldNotLook: Vault cannot be asked, or the store is not there; the half may be there.
        """
        if self.get(subject) is None:
            return False
        with _asking() as vault:
            vault.kv_destroy(self._path(subject))
        if self.get(subject) is not None:
            raise CouldNotLook("Vault said that it destroyed a half of a key, and gives it all the same.", "Look at its storage.")
        return True

    def look(self) -> str:
        """Words about the store: that it is there, and that the token may do what is needed.

        Raises:
            CouldNotLook: Vault cannot be asked, the store is not there, or the token may not do everything.
        """
        self._check()
        one, listed = self._where / ("0" * 64), f"{self._where.metadata}/"
        with _asking() as vault:
            may = vault.capabilities([one.data, one.metadata, listed])
        wanted = {one.data: _NEEDED, one.metadata: ("delete",), listed: ("list",)}
        lacking = [f"{what} on {path}" for path, needed in wanted.items() for what in needed if not {what, "root"} & set(may.get(path, ()))]
        if lacking:
            raise CouldNotLook(f"The token may not {', '.join(lacking)}.", "Widen its policy; see docs/keys.md.")
        return f"Halves of subjects' keys lie at {self._where}."

    def close(self) -> None:
        """Nothing stays open."""


@contextmanager
def _asking() -> Iterator[VaultClient]:
    """Ask Vault. Whatever keeps an answer away, a missing address or token included, is *could not look*: "not found" means destroyed."""
    try:
        yield VaultClient.from_env(resolve)
    except (BadInput, Forbidden, NotFound) as error:
        raise CouldNotLook(f"Halves of subjects' keys cannot be looked at: {error.message}", error.next_step) from error
