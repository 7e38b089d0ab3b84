"""Where the halves of subjects' keys lie that lie outside the home: in a file of one node (`halves`), or in Vault, which all nodes reach.

`AFFIANT_SUBJECTS` says where: `file:PATH` or `vault:MOUNT/PREFIX`. A store that cannot be looked at is an error, never an absent half: an
absent half says that it was destroyed. Leaves out: what keys seal (`ledger.sealed`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from affiant.kit.halves import SUBJECTS_ENV, Halves
from affiant.kit.home import Home
from affiant.kit.vault import KvPath
from affiant.kit.vaulthalves import VaultHalves


class HalfStore(Protocol):
    """One half of each subject's key."""

    @property
    def shared(self) -> bool:
        """Whether every node reaches it, over a network: then a half is destroyed before anything says so."""

    @property
    def there(self) -> bool:
        """Whether the store exists.

        Raises:
            CouldNotLook: that cannot be told.
        """

    def make(self, subject: str, first: bool) -> bytes:
        """A fresh half, durable when this returns.

        Args:
            first: whether no subject has one yet: only then a missing store may be made.

        Raises:
            CouldNotLook: the store is not there, or cannot be reached; nothing was made.
        """

    def get(self, subject: str) -> bytes | None:
        """A subject's half, or None if it was destroyed.

        Raises:
            CouldNotLook: the store is not there, or cannot be reached.
        """

    def missing(self, subjects: Sequence[str]) -> list[str]:
        """Of these subjects those that have no half any more.

        Raises:
            CouldNotLook: as `get`.
        """

    def destroy(self, subject: str) -> bool:
        """Destroy a subject's half for good; whether there was one.

        Raises:
            CouldNotLook: as `get`; it may be there.
        """

    def look(self) -> str:
        """Words for people about the store, which is there and can be used; changes nothing.

        Raises:
            CouldNotLook: it is not there, or cannot be used.
        """

    def close(self) -> None:
        """Close the store."""


def open_halves(home: Home, master: bytes) -> HalfStore:
    """The store that the environment names.

    Args:
        home: whose subjects.
        master: of the keyring; hides subjects' names in the store.

    Raises:
        BadInput: `AFFIANT_SUBJECTS` is a `vault:` reference of another form. Of a file that is found when it is first needed.
    """
    scheme, _, rest = os.environ.get(SUBJECTS_ENV, "").partition(":")
    return VaultHalves(home, master, KvPath.parse(rest)) if scheme == "vault" else Halves(home, master)
