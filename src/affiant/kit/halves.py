"""One half of each subject's key, outside the home: what makes destroying a key reach older copies of the home, too.

A subject's key is made of a half in the home and a half in this store (32 random bytes each). The store lies beside the unlock secret
(`AFFIANT_SUBJECTS=file:PATH`; default: the unlock secret's path with `.subjects` behind it), names no subject in the clear, and overwrites
what is deleted. Back it up apart from the home and keep few copies: a destroyed key is out of reach when the last copy of this store that
holds its half is gone, whatever copies of the home there are. Only one node reaches it; for several there is `vaulthalves`. Leaves out:
what keys seal (`ledger.sealed`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from affiant.kit.db import Database
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.home import Home
from affiant.kit.keyring import unlock_path

SUBJECTS_ENV = "AFFIANT_SUBJECTS"
_V1 = "CREATE TABLE halves (tag BLOB PRIMARY KEY, half BLOB NOT NULL) STRICT, WITHOUT ROWID;\n"


def subjects_path(home: Home) -> Path:
    """Where the store of a home lies.

    Raises:
        BadInput: `AFFIANT_SUBJECTS` names no file, or one within the home.
    """
    ref = os.environ.get(SUBJECTS_ENV, "")
    if ref:
        scheme, _, rest = ref.partition(":")
        if scheme != "file" or not rest:
            raise BadInput(f"{SUBJECTS_ENV} names no store.", f"Set it to file:PATH, outside {home.root}, or to vault:MOUNT/PREFIX.")
        path = Path(rest)
    else:
        beside = unlock_path(home)
        path = beside.with_name(beside.name + ".subjects") if beside is not None else _default(home)
    if path.resolve().is_relative_to(home.root):
        raise BadInput(
            f"{path} lies in the home.", f"Set {SUBJECTS_ENV}=file:PATH outside {home.root}: copies of the home must not hold it."
        )
    return path


def _default(home: Home) -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "affiant" / "unlock" / f"{home.id}.subjects"


class Halves:
    """The store. Opened when first needed.

    Args:
        home: whose.
        master: hides subjects' names in it.
    """

    shared = False

    def __init__(self, home: Home, master: bytes) -> None:
        self._home, self._name = home, hmac.digest(master, b"affiant/subject-halves/" + home.id.encode(), "sha256")
        self._database: Database | None = None

    @property
    def there(self) -> bool:
        """Whether the store exists."""
        return subjects_path(self._home).exists()

    def _open(self, create: bool) -> Database:
        if self._database is None:
            path = subjects_path(self._home)
            if not path.exists() and not create:
                raise CouldNotLook(
                    f"The store of subjects' key halves is not at {path}.",
                    f"Restore it, or set {SUBJECTS_ENV}: nothing was destroyed or made.",
                )
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = Database(path, (_V1,), create=True)
        return self._database

    def _tag(self, subject: str) -> bytes:
        return hmac.digest(self._name, subject.encode(), hashlib.sha256)

    def make(self, subject: str, first: bool) -> bytes:
        """A fresh half, on disk when this returns.

        Args:
            first: whether no subject has one yet: only then a missing store may be made.
        """
        half = secrets.token_bytes(32)
        with self._open(create=first).transaction() as c:
            c.execute("INSERT OR REPLACE INTO halves VALUES (?, ?)", (self._tag(subject), half))
        return half

    def get(self, subject: str) -> bytes | None:
        """A subject's half, or None if it was destroyed.

        Raises:
            CouldNotLook: the store is not there.
        """
        with self._open(create=False).reading() as c:
            row = c.execute("SELECT half FROM halves WHERE tag = ?", (self._tag(subject),)).fetchone()
        return bytes(row[0]) if row else None

    def missing(self, subjects: Sequence[str]) -> list[str]:
        """Of these subjects those whose half was destroyed.

        Raises:
            CouldNotLook: the store is not there.
        """
        return [subject for subject in subjects if self.get(subject) is None]

    def look(self) -> str:
        """Words about the store.

        Raises:
            CouldNotLook: it is not there. BadInput: it is damaged, or lies in the home.
        """
        with self._open(create=False).reading() as c:
            count = int(c.execute("SELECT count(*) FROM halves").fetchone()[0])
        return f"{count} halves of subjects' keys lie at {subjects_path(self._home)}, for this node alone."

    def destroy(self, subject: str) -> bool:
        """Overwrite and delete a subject's half; whether there was one.

        Raises:
            CouldNotLook: the store is not there.
        """
        database = self._open(create=False)
        with database.transaction() as c:
            gone = c.execute("DELETE FROM halves WHERE tag = ?", (self._tag(subject),)).rowcount
        database.forget_pages()
        return bool(gone)

    def close(self) -> None:
        """Close the store."""
        if self._database is not None:
            self._database.close()
            self._database = None
