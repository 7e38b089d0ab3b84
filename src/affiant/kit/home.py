"""A home: one directory that holds one ledger and its records. Created by an explicit step, never on first use.

Leaves out: who may open what in it; see docs/architecture.md for the map.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant.kit.errors import BadInput, Conflict, NotFound

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Witness:
    """An outside cosigner: its name, C2SP verifier key and base URL."""

    name: str
    vkey: str
    url: str


@dataclass(frozen=True, slots=True)
class Home:
    """Paths and fixed facts of one home."""

    root: Path
    id: str
    origin: str
    node: str
    created_us: int
    witnesses: tuple[Witness, ...] = ()

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def segments(self) -> Path:
        return self.root / "segments"

    @property
    def checkpoints_log(self) -> Path:
        return self.root / "checkpoints.log"

    @property
    def records_db(self) -> Path:
        return self.root / "records.db"

    @property
    def anchors_db(self) -> Path:
        return self.root / "anchors.db"

    @property
    def derived(self) -> Path:
        return self.root / "derived"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def keyring(self) -> Path:
        return self.root / "keys" / "keyring"

    @property
    def demo(self) -> bool:
        """Whether this is a demonstration; stamped on every page and package."""
        return self.origin.startswith("demo/")


def create_home(root: Path, origin: str, now_us: int, node: str = "n1", witnesses: tuple[Witness, ...] = ()) -> Home:
    """Make the directories and `affiant.json` of a new home; the keyring and ledger are made by their owners.

    Raises:
        Conflict: the directory exists and is not empty.
    """
    if root.exists() and any(root.iterdir()):
        raise Conflict(f"{root} exists and is not empty.", "Give a new directory, or serve the home that is there.")
    try:
        for name in ("ledger", "segments", "keys", "derived", "files", "run"):
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"Cannot create {root}: {error.strerror}.", "Choose a directory that you may write.") from error
    os.chmod(root / "keys", 0o700)
    os.chmod(root / "run", 0o700)
    home = Home(root.resolve(), secrets.token_hex(8), origin, node, now_us, witnesses)
    save_home(home)
    return home


def save_home(home: Home) -> None:
    """Write `affiant.json` atomically."""
    data: dict[str, Any] = {
        "format": FORMAT, "id": home.id, "origin": home.origin, "node": home.node, "created_us": home.created_us,
        "witnesses": [{"name": w.name, "vkey": w.vkey, "url": w.url} for w in home.witnesses],
    }  # fmt: skip
    temporary = home.root / "affiant.json.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, home.root / "affiant.json")


def open_home(root: Path) -> Home:
    """Read a home that exists.

    Raises:
        NotFound: there is none.
        BadInput: `affiant.json` is unreadable or of a newer format.
    """
    path = root / "affiant.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"{root} is no Affiant home.", f"Create one with `affiant init --home {root}`.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Restore it from a backup.") from error
    if data.get("format") != FORMAT:
        raise BadInput(f"{path} has format {data.get('format')}.", "Use the version of Affiant that wrote it, or a newer one.")
    witnesses = tuple(Witness(w["name"], w["vkey"], w["url"]) for w in data["witnesses"])
    return Home(root.resolve(), data["id"], data["origin"], data["node"], data["created_us"], witnesses)


@contextmanager
def home_lock(home: Home) -> Iterator[None]:
    """Hold the home alone: taken by `serve`, and by a command while nothing serves.

    Raises:
        Conflict: another process holds it.
    """
    handle = os.open(home.run / "home.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{home.root} is in use by another process.", "Stop it, or use its API.") from None
        yield
    finally:
        os.close(handle)
