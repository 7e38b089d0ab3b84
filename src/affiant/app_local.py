"""What a command does with a home that nothing serves: create it, or mount its API in this process under its lock.

The command is the only process of the home then: it opens the records, runs the same API as control does, and finally moves every
record change into the ledger with a writer of its own. Leaves out: a home that is served (`app_supervisor`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from affiant.app_life import alone
from affiant.catalog import Catalog, load
from affiant.kit.clock import open_clock
from affiant.kit.errors import BadInput, Conflict
from affiant.kit.home import Home, Witness, create_home
from affiant.kit.keyring import create_keyring
from affiant.ledger import Writer, witness_knows_longer
from affiant.records import Records

MAX_ORIGIN = 128


def init(root: Path, origin: str, node: str, witnesses: tuple[Witness, ...]) -> tuple[Home, str]:
    """Create a home: directories, keys, records, the ledger's first entries, the shipped controls adopted.

    Returns:
        The home and its log's verifier key.

    Raises:
        Conflict: the directory is not empty, or a witness knows this origin already; nothing is left behind.
        CouldNotLook: a witness could not be asked.
    """
    _check_names(origin, node)
    catalog = load()
    for witness in witnesses:
        if witness_knows_longer(witness, origin):
            raise Conflict(
                f"{witness.name} has cosigned a ledger named {origin}: it exists already.", "Restore it from a backup, or choose another --origin."
            )
    fresh = not root.exists()
    clock = open_clock()
    home = create_home(root, origin, clock.now_us(), node, witnesses)
    try:
        ring = create_keyring(home)
        with alone(home), Writer.create(home, ring, clock) as writer:
            records = Records(home, ring, clock, create=True)
            try:
                adopt_library(home, records, catalog)
            finally:
                records.close()
            writer.pump_outbox()
            writer.checkpoint()
            vkey = writer.vkey
    except BaseException:
        _remove(home.root, fresh)
        raise
    return home, vkey


def adopt_library(home: Home, records: Records, catalog: Catalog) -> tuple[str, ...]:
    """Put the control versions of a catalog into force where they differ, keeping each version's bytes by hash; their ids."""
    controls = [control for control in catalog.controls.values() if control.implemented]
    for control in controls:
        keep_file(home, control.sha, control.canonical)
    return records.adopt_controls((control.id, control.version, control.sha, control.schedule_body) for control in controls)


def keep_file(home: Home, sha: str, data: bytes) -> None:
    """Put bytes into `HOME/files/` under their hash, whole or not at all."""
    path = home.files / sha
    if path.exists():
        return
    temporary = home.files / f".{sha}.tmp"
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _remove(root: Path, with_root: bool) -> None:
    """Take back what a failed `init` made; the directory itself only if it was not there before."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if with_root:
        root.rmdir()


def _check_names(origin: str, node: str) -> None:
    if not origin or len(origin) > MAX_ORIGIN or any(c.isspace() or c == "+" or not c.isprintable() for c in origin):
        raise BadInput(f"{origin!r} is no origin.", f"Write at most {MAX_ORIGIN} characters without spaces or +, such as example.com/affiant.")
    if not node or len(node) > 64 or not all(c.isalnum() or c in "._-" for c in node) or not node[0].isalnum() or not node.isascii():
        raise BadInput(f"{node!r} is no name of a node.", "Use letters, digits, dots and hyphens, such as n1.")
