"""Changing the log's key from outside the writer: over `run/writer.sock` while the home is served, else with a writer of one's own.

And taking over, from another node's keyring, the private halves that this node lacks. Leaves out: what the change is (`logkeys`,
`serverhome.keychange`), who may ask (whoever may read the keyring and reach the socket: the home's own user).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from affiant.kit.clock import Clock
from affiant.kit.errors import BadInput, Conflict
from affiant.kit.home import Home, home_lock
from affiant.kit.keyring import UNLOCK_ENV, Keyring, open_keyring, save_keyring
from affiant.kit.secretref import check_ref
from affiant.ledger.asking import ask_writer
from affiant.ledger.logkeys import chain, change
from affiant.ledger.where import is_server_home
from affiant.ledger.writer import Writer


def ask_for_keys(home: Home, clock: Clock, asked: dict[str, Any]) -> dict[str, Any]:
    """Rotate or revoke; see `logkeys.change` for what may be asked. Gives the event's index and the key concerned.

    Raises:
        Conflict: another process holds the home, or this node does not hold the key in force.
        AffiantError: as `rotate` and `revoke`.
    """
    path = home.run / "writer.sock"
    if path.exists():
        answer = ask_writer(path, "key", asked, "See `affiant ledger key show` for what was done.")
        if answer is not None:
            return answer
    with home_lock(home):
        ring = open_keyring(home)
        if is_server_home(home):
            from affiant.ledger.serverhome.run import change_key

            done = change_key(home, ring, clock, asked)
            return {"index": done.index, "vkey": done.vkey}
        with Writer.open(home, ring, clock) as writer:
            made = change(writer, writer.keyring, asked)
            writer.append(writer.ending(writer.name, "stopped"))
            writer.checkpoint()
    return {"index": made.index, "vkey": str(made.vkey)}


def take_keys(home: Home, file: Path, unlock: str = "") -> Keyring:
    """Take the log's keys over from the keyring file of another node, which comes as it lies there, encrypted.

    Args:
        file: copy of that node's `keys/keyring`.
        unlock: reference to the secret that opens it; "" where it is this node's own.

    Returns:
        This node's keyring, as saved; a node that serves takes it up within a second.

    Raises:
        BadInput: it cannot be opened.
        Conflict: this home shares its log with nobody, or the file has no keys that this node lacks, or is of another log.
    """
    if not is_server_home(home):
        raise Conflict("This home shares its log with no other node.", "Rotate its key here: `affiant ledger key rotate`.")
    mine, other = open_keyring(home), _open_file(home, file, unlock)
    chain(home, other)
    common = min(len(mine.statements), len(other.statements))
    if mine.statements[:common] != other.statements[:common] or mine.held[0].public != other.held[0].public:
        raise Conflict(f"{file} belongs to another history of this log's keys.", "Bring the keyring of a node that serves.")
    longer, shorter = (other, mine) if len(other.statements) >= len(mine.statements) else (mine, other)
    halves = {held.public: held for held in shorter.held if held.seed or held.transit}
    revoked = {key.public for key in chain(home, replace(mine, log_keys=longer.held, statements=longer.statements)).revoked}
    held = tuple(
        each.given_up() if each.public in revoked else each if each.seed or each.transit else halves.get(each.public, each)
        for each in longer.held
    )
    taken = replace(mine, log_seed=held[-1].seed, log_keys=held, statements=longer.statements)
    if (taken.held, taken.statements) == (mine.held, mine.statements):
        raise Conflict(f"{file} has no key of the log that this node lacks.", "See `affiant ledger key show`.")
    save_keyring(home, taken)
    return taken


def _open_file(home: Home, file: Path, unlock: str) -> Keyring:
    """Open a keyring file in a folder of its own, under the secret that is named."""
    before = os.environ.get(UNLOCK_ENV)
    with tempfile.TemporaryDirectory(prefix="affiant-keys-") as folder:
        beside = replace(home, root=Path(folder))
        beside.keyring.parent.mkdir(mode=0o700)
        try:
            shutil.copyfile(file, beside.keyring)
        except OSError as error:
            raise BadInput(f"{file} cannot be read: {error.strerror}.", "Copy keys/keyring of the other node here.") from error
        try:
            if unlock:
                os.environ[UNLOCK_ENV] = check_ref(unlock)
            return open_keyring(beside)
        finally:
            if unlock:
                os.environ.pop(UNLOCK_ENV)
                if before is not None:
                    os.environ[UNLOCK_ENV] = before
