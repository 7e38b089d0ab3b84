"""The checks behind `affiant doctor`: each looks at one thing and says what it saw and what to do. None changes anything.

A check that needs something which an earlier one found missing is *not looked at*, which is not the same as good. Leaves out: how
outcomes are shown (`doctor`).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from affiant.catalog import load as load_catalog
from affiant.cli.session import reach
from affiant.cli.shared import HOME_ENV, default_port, when
from affiant.kit.clock import CLOCK_ENV, open_clock
from affiant.kit.errors import AffiantError, CouldNotLook
from affiant.kit.halfstore import open_halves
from affiant.kit.home import Home, open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import LedgerReader
from affiant.ledger.anchorstore import AnchorStore
from affiant.ledger.opening import reading
from affiant.ledger.wire import reachable
from affiant.proof.note import Note
from affiant.records.look import looking

MINIMUM_PYTHON = (3, 11)
LOW_BYTES = 1024**3
FAULT_BYTES = 64 * 1024**2
STALE_ANCHOR_S = 2 * 3600
_SANE_FROM_US = 1_735_689_600_000_000  # 2025-01-01: no home is older than this program


class State(StrEnum):
    """What a check found."""

    GOOD = "good"
    NOTE = "note"
    FAULT = "fault"
    UNSEEN = "not looked at"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check: its name, what it saw, and what to do (empty where nothing is needed)."""

    check: str
    state: State
    what: str
    do: str = ""


def run_checks(root: Path | None) -> list[Outcome]:
    """All checks of a home, in reading order; `root` None means that none was named."""
    outcomes = [_python()]
    home, found = _home(root)
    outcomes += found
    if home is None:
        return outcomes
    serving = reach(home) is not None
    checks: tuple[Callable[[Home, bool], Iterator[Outcome]], ...] = (
        _permissions, _keys, _processes, _ports, _disk, _clock, _ledger, _records, _subjects, _controls, _outbox, _anchors,
    )  # fmt: skip
    for check in checks:
        name = check.__name__.strip("_")
        try:
            outcomes += check(home, serving)
        except CouldNotLook as error:
            outcomes.append(Outcome(name, State.UNSEEN, error.message, error.next_step))
        except AffiantError as error:
            outcomes.append(Outcome(name, State.FAULT, error.message, error.next_step))
        except (OSError, sqlite3.Error) as error:
            outcomes.append(Outcome(name, State.UNSEEN, f"{error}", "Check that you may read the home."))
    return outcomes


def _python() -> Outcome:
    version = ".".join(map(str, sys.version_info[:3]))
    if tuple(sys.version_info) < MINIMUM_PYTHON:
        return Outcome("python", State.FAULT, f"Python {version} is too old.", "Use Python 3.11 or newer.")
    return Outcome("python", State.GOOD, f"Python {version}")


def _home(root: Path | None) -> tuple[Home | None, list[Outcome]]:
    if root is None:
        return None, [Outcome("home", State.FAULT, "No home was named.", f"Give --home D, or set {HOME_ENV}.")]
    try:
        home = open_home(root)
    except AffiantError as error:
        return None, [Outcome("home", State.FAULT, error.message, error.next_step)]
    missing = [name for name in ("ledger", "segments", "keys", "derived", "files", "run") if not (home.root / name).is_dir()]
    if missing:
        return home, [Outcome("home", State.FAULT, f"{home.root} has no {', '.join(missing)}.", "Restore the home from one backup.")]
    return home, [Outcome("home", State.GOOD, f"{home.root} · origin {home.origin} · node {home.node}")]


def _permissions(home: Home, serving: bool) -> Iterator[Outcome]:
    bad = []
    for path in (home.root, home.ledger, home.segments, home.derived, home.files, home.run):
        if path.is_dir() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            bad.append(path.name if path != home.root else str(path))
    if bad or os.statvfs(home.root).f_flag & os.ST_RDONLY:
        yield Outcome(
            "permissions",
            State.FAULT,
            f"Not writable: {', '.join(bad) or home.root}.",
            "Make the home writable for the user that serves it.",
        )
    open_to = [str(path) for path in (home.keyring.parent, home.keyring) if path.exists() and path.stat().st_mode & 0o077]
    if open_to:
        yield Outcome("permissions", State.FAULT, f"Others may read {', '.join(open_to)}.", f"chmod go-rwx {' '.join(open_to)}")
    if not bad and not open_to:
        yield Outcome("permissions", State.GOOD, "The home is writable here, its keys are private.")


def _keys(home: Home, serving: bool) -> Iterator[Outcome]:
    open_keyring(home)
    yield Outcome("keys", State.GOOD, "The unlock secret opens the keyring.")


def _supervisor(home: Home) -> dict[str, object] | None:
    try:
        value = json.loads((home.run / "supervisor.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _held(home: Home) -> bool:
    try:
        handle = os.open(home.run / "home.lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def _processes(home: Home, serving: bool) -> Iterator[Outcome]:
    held = _held(home)
    state = _supervisor(home) or {}
    if not held:
        yield Outcome("processes", State.NOTE, "Nothing serves this home now.", f"affiant serve --home {home.root}")
        return
    pids = state.get("pids")
    if not isinstance(pids, dict):
        yield Outcome("processes", State.NOTE, "A command holds the home now.")
        return
    dead = [name for name in ("writer", "control") if not _alive(pids.get(name))]
    dead += [f"worker {n + 1}" for n, pid in enumerate(pids.get("workers", [])) if not _alive(pid)]
    if dead:
        yield Outcome(
            "processes",
            State.FAULT,
            f"Not running: {', '.join(dead)}.",
            "See why on the standard error of `affiant serve`; it starts them again.",
        )
    for name, sock in (("writer", "writer.sock"), ("control", "control.sock")):
        if name not in dead and not _connects(home.run / sock):
            yield Outcome(
                "processes", State.FAULT, f"The {name} process does not answer on run/{sock}.", "End `affiant serve` and start it again."
            )
    if not dead:
        yield Outcome("processes", State.GOOD, f"writer {pids.get('writer')}, control {pids.get('control')}, workers {pids.get('workers')}")


def _alive(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _connects(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(3.0)
        try:
            with reachable(path) as name:
                probe.connect(name)
        except OSError:
            return False
    return True


def _ports(home: Home, serving: bool) -> Iterator[Outcome]:
    if serving:
        state = _supervisor(home) or {}
        yield Outcome("ports", State.GOOD, f"gateway {state.get('gateway')} · console {state.get('console')}")
        return
    used = []
    for what, port in (("gateway", default_port()), ("console", 8081)):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                used.append(f"{port} ({what})")
    if used:
        yield Outcome(
            "ports",
            State.FAULT,
            f"In use by another program: {', '.join(used)}.",
            "Give others with --gateway-port and --console-port (0: any free one).",
        )
    else:
        yield Outcome("ports", State.GOOD, f"{default_port()} (gateway) and 8081 (console) are free.")


def _disk(home: Home, serving: bool) -> Iterator[Outcome]:
    free = shutil.disk_usage(home.root).free
    text = f"{free / 1024**3:.1f} GiB free under {home.root}."
    if free < FAULT_BYTES:
        yield Outcome("disk", State.FAULT, text, "Free space: exchanges are refused while the ledger has no room.")
    elif free < LOW_BYTES:
        yield Outcome("disk", State.NOTE, text, "Free some space soon; a million exchanges take about 1.5 GiB.")
    else:
        yield Outcome("disk", State.GOOD, text)


def _clock(home: Home, serving: bool) -> Iterator[Outcome]:
    now = open_clock().now_us()
    injected = os.environ.get(CLOCK_ENV)
    if injected:
        yield Outcome(
            "clock",
            State.NOTE,
            f"Wall time comes from {injected}: {when(now)}.",
            "" if home.demo else f"Unset {CLOCK_ENV} unless this is a test.",
        )
    elif now < max(_SANE_FROM_US, home.created_us):
        yield Outcome(
            "clock", State.FAULT, f"The clock says {when(now)}, before this home was created.", "Set the clock; evidence is dated by it."
        )
    else:
        yield Outcome("clock", State.GOOD, when(now))


def _ledger(home: Home, serving: bool) -> Iterator[Outcome]:
    """Head, its signature, the root over the tiles, the newest entries, the newest cosigned heads: what can be had at once."""
    with reading(home) as reader:
        yield _ledger_now(home, reader)


def _ledger_now(home: Home, reader: LedgerReader) -> Outcome:
    begin = time.monotonic()
    head = reader.checkpoint()
    held, keys = {key.public for key in open_keyring(home).held}, reader.log_keys()
    if keys.current.public not in held or keys.at(head.size) not in {found.key for found in Note.parse(head.note).verify(keys.keys)}:
        return Outcome(
            "ledger", State.FAULT, "The signed head is not signed with this home's key.", "Keep the home as it is; compare with a backup."
        )
    if reader.root(head.size) != head.root:
        return Outcome(
            "ledger", State.FAULT, "The hash tiles do not give the signed root.", "Run `affiant ledger verify`; it names the place."
        )
    for index in range(max(0, head.size - 256), reader.size):
        reader.event(index)
    newest = AnchorStore(home.anchors_db).all()[-8:]
    apart = [anchor for anchor in newest if anchor.size > head.size or reader.root(anchor.size) != anchor.root]
    if apart:
        what = f"{apart[0].witness} cosigned {apart[0].size} entries of another history than the one here."
        return Outcome("ledger", State.FAULT, what, "The home was rolled back or rewritten: restore the newest backup.")
    took = time.monotonic() - begin
    return Outcome(
        "ledger", State.GOOD, f"{reader.size} entries, {head.size} signed ({took:.1f} s). `affiant ledger verify` reads every one."
    )


def _database(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise AffiantError(f"{path} is not there.", "Restore the home from one backup.")
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)


def _records(home: Home, serving: bool) -> Iterator[Outcome]:
    with looking(home) as look:
        people = 0 if look.fault else sum(1 for person in look.store.people() if person.active)
        nodes = f" Nodes in contact: {', '.join(look.nodes)}." if look.nodes else ""
    if look.fault:
        yield Outcome("records", State.FAULT, f"{look.where} is damaged: {look.fault}", "Restore the home from one backup.")
    elif people == 0:
        what = f"Records in {look.where} are whole; nobody is in them yet.{nodes}"
        yield Outcome("records", State.NOTE, what, "affiant apply FILE.yaml adds the first people.")
    else:
        yield Outcome("records", State.GOOD, f"Records in {look.where} are whole; {people} people.{nodes}")


def _subjects(home: Home, serving: bool) -> Iterator[Outcome]:
    """Whether the halves of subjects' keys can be had that this home needs."""
    with looking(home) as look:
        needed, several = 0 if look.fault else look.store.live_subjects(), look.where == "PostgreSQL"
    with closing(open_halves(home, open_keyring(home).master)) as halves:
        there = halves.there
        if there or (needed and not (several and not halves.shared)):
            yield Outcome("subjects", State.GOOD, f"{halves.look()} {needed} subjects have a key.")
        elif needed:
            what = f"{needed} subjects have a key whose other half lies with another node."
            yield Outcome("subjects", State.NOTE, what, "AFFIANT_SUBJECTS=vault:MOUNT/PREFIX on all nodes is a store that each reaches.")
        else:
            yield Outcome("subjects", State.NOTE, "No value is sealed; the store of subjects' key halves is made with the first.")


def _controls(home: Home, serving: bool) -> Iterator[Outcome]:
    """Whether the control versions that this program ships are those in force."""
    shipped = {
        each.id: (each.version, each.sha, each.schedule_body) for each in load_catalog().controls.values() if each.implemented
    }  # fmt: skip
    with looking(home) as look:
        now = {each.id: (each.version, each.sha, list(each.schedule)) for each in look.store.controls()}
    changed = [
        f"{name} (ships {wanted[0]}, in force {now[name][0] if name in now else 'none'})"
        for name, wanted in shipped.items() if now.get(name) != wanted
    ]  # fmt: skip
    gone = sorted(set(now) - set(shipped))
    if changed:
        what = f"Another version than the one in force: {', '.join(changed)}. These are not tested."
        yield Outcome("controls", State.FAULT, what, "affiant control adopt --all --as PERSON")
    if gone:
        what = f"In force, but not shipped with this program: {', '.join(gone)}."
        yield Outcome("controls", State.FAULT, what, "Use the version of Affiant that ships them, or a newer one.")
    if not changed and not gone:
        yield Outcome("controls", State.GOOD, f"The {len(now)} controls in force are those that this program ships.")


def _outbox(home: Home, serving: bool) -> Iterator[Outcome]:
    with looking(home) as look:
        waiting, shared = look.waiting, look.where == "PostgreSQL"
    if waiting and (serving or shared):
        time.sleep(2.0)
        with looking(home) as look:
            waiting = look.waiting
    if not waiting:
        yield Outcome("outbox", State.GOOD, "Every record change is in the ledger.")
    elif serving:
        what = f"{waiting} events of record changes wait for the ledger writer."
        yield Outcome("outbox", State.FAULT, what, "See what the writer says on standard error.")
    else:
        what = f"{waiting} events of record changes wait."
        yield Outcome("outbox", State.NOTE, what, "They go into the ledger at the next `affiant serve`.")


def _anchors(home: Home, serving: bool) -> Iterator[Outcome]:
    if not home.witnesses:
        yield Outcome(
            "anchors",
            State.NOTE,
            "No witness is configured: roll-back cannot be told from outside.",
            "affiant witness serve on another machine, and add it to the home.",
        )
        return
    newest: dict[str, int] = {}
    if home.anchors_db.exists():
        with closing(_database(home.anchors_db)) as db:
            newest = {str(name): int(time_s) for name, time_s in db.execute("SELECT witness, max(time_s) FROM anchor GROUP BY witness")}
    now_s = open_clock().now_us() // 1_000_000
    for witness in home.witnesses:
        last = newest.get(witness.name)
        if last is None:
            yield Outcome(
                "anchors",
                State.FAULT if serving else State.NOTE,
                f"{witness.name} has cosigned nothing yet.",
                f"Is {witness.url} reachable from here?",
            )
        elif now_s - last > STALE_ANCHOR_S:
            yield Outcome(
                "anchors",
                State.FAULT if serving else State.NOTE,
                f"{witness.name} last cosigned {(now_s - last) / 3600:.1f} h ago.",
                f"Is {witness.url} reachable from here?",
            )
        else:
            yield Outcome("anchors", State.GOOD, f"{witness.name} cosigned {(now_s - last) / 60:.0f} min ago.")
