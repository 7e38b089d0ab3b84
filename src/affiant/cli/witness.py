"""`affiant witness …`: be an outside cosigner. Needs no home: a witness knows logs by their verifier keys, and remembers what it signed.

Its folder holds `key`, `witness.db` (its memory) and `logs` (one verifier key a line, read again when it changes, so that a witness can
run before the log that it will cosign exists). Leaves out: what it accepts and refuses (`ledger.witness`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import click

from affiant.cli.shared import home_option, need_home, out, say
from affiant.kit.clock import open_clock
from affiant.kit.errors import BadInput
from affiant.kit.secretref import resolve
from affiant.ledger import WitnessServer, WitnessState, witness_seed, witness_vkey
from affiant.ledger.checkpoints import parse_vkey

_POLL_S = 0.5


def _folder_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--dir", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
        help="Where its key, its memory and the keys of its logs lie; made if missing.",
    )(function)  # fmt: skip


def _name_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option("--name", required=True, metavar="NAME", help="Its name, unique in the world, such as witness.example/w1.")(
        function
    )


@click.group("witness")
def command() -> None:
    """Be an outside cosigner of a ledger."""


@command.command("serve")
@_folder_option
@_name_option
@click.option("--log", "logs", multiple=True, metavar="VKEY", help="Verifier key of a log to cosign, besides those added before.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8470, show_default=True, metavar="P", help="Port; 0: any free one.")
@click.option("--stand-in", is_flag=True, help="Say that it is run by the same people as the log, so that it anchors nothing.")
def serve(folder: Path, name: str, logs: tuple[str, ...], host: str, port: int, stand_in: bool) -> None:
    """Cosign heads of logs; refuse forks, stale sizes and rewritten history.

    Prints one JSON line when ready, with its URL and verifier key. Keep DIR: a witness that lost its memory needs a new key. One
    that the audited company does not run is what makes a period trustworthy.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for vkey in logs:
        _add(folder, vkey)
    if stand_in:
        say("This witness is a STAND-IN: run by the same people as the log, it shows nothing to an outsider.")

    state = WitnessState(folder / "witness.db", name, witness_seed(folder / "key"), _logs(folder), open_clock())
    try:
        server = WitnessServer(state, host, port)
        _follow(folder, state)
        out({"ready": True, "url": server.url, "vkey": state.vkey, "stand_in": stand_in})
        say(f"Cosigning {len(state.logs)} logs on {server.url} · a home names it with --witness '{state.vkey}@{server.url}' · Ctrl-C stops")
        asyncio.run(server.serve())
    finally:
        state.close()


@command.command("key")
@_folder_option
@_name_option
def key(folder: Path, name: str) -> None:
    """Print a witness's verifier key as JSON, making the key if there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    out({"name": name, "vkey": witness_vkey(name, witness_seed(folder / "key"))})


@command.command("add")
@click.argument("vkey")
@_folder_option
def add(vkey: str, folder: Path) -> None:
    """Have the witness cosign the log with this verifier key; one that runs notices within a second."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no witness's folder.", "Make one with `affiant witness key` or `affiant witness serve`.")
    _add(folder, vkey)
    out({"logs": _logs(folder)})


@command.command("once")
@click.option("--url", required=True, metavar="URL", help="Where the ledger's `checkpoint` and `tile/` are published.")
@click.option(
    "--log",
    "log",
    required=True,
    metavar="VKEY",
    help="The log's verifier key, as its company gave it to you; again for a key that it handed over to.",
)
@click.option("--state", "memory", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="F",
              help="Its memory, a text file; made if missing. Keep it from run to run.")  # fmt: skip
@click.option("--key", "key_ref", required=True, metavar="K", help="Its key: env:NAME or file:PATH (64 hexadecimal digits).")
@_name_option
@click.option("--out", "target", default=None, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the cosigned checkpoint here, as `--anchor` of the verifier reads it.")  # fmt: skip
def once(url: str, logs: tuple[str, ...], memory: Path, key_ref: str, name: str, target: Path | None) -> None:
    """Visit a published ledger once and cosign its head if it extends what was cosigned before: a witness as a CI job.

    Prints one JSON line. Exit code 1 where the ledger contradicts what was cosigned, 3 where it cannot be reached (docs/witness-in-ci.md).
    """
    from affiant.ledger.witnessonce import visit_once

    visit = visit_once(memory, name, _seed(key_ref), logs, url, open_clock())
    if target is not None:
        target.write_bytes(visit.note)
    out({"origin": visit.origin, "before": visit.before, "size": visit.size, "new": visit.new, "vkey": witness_vkey(name, _seed(key_ref))})
    say(f"{visit.origin}: {visit.size:,} entries cosigned" + ("." if visit.new else " (before already)."))


@command.command("take")
@click.argument("note", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="NOTE")
@click.option("--witness", "vkey", required=True, metavar="VKEY", help="The verifier key of the witness that cosigned it.")
@home_option
def take(note: Path, vkey: str, home: Path | None) -> None:
    """Keep a checkpoint that somebody else's witness cosigned, so that affidavits carry its cosignature."""
    from affiant.ledger.opening import reading
    from affiant.ledger.witnessonce import take_note

    found = need_home(home)
    with reading(found) as reader:
        anchor = take_note(found, reader, note.read_bytes(), vkey, open_clock().now_us())
    out({"witness": anchor.witness, "size": anchor.size, "time": anchor.time_s})


def _seed(key_ref: str) -> bytes:
    text = resolve(key_ref).strip()
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise BadInput(f"{key_ref} is no witness's key.", "It is 64 hexadecimal digits: `affiant witness key` makes one.")
    return seed


def _logs(folder: Path) -> list[str]:
    path = folder / "logs"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def _add(folder: Path, vkey: str) -> None:
    parse_vkey(vkey)
    if vkey not in _logs(folder):
        with open(folder / "logs", "a", encoding="utf-8") as file:
            file.write(f"{vkey}\n")


def _follow(folder: Path, state: WitnessState) -> None:
    """Take logs that are added while the witness runs; a daemon thread, since it only reads one small file."""

    def watch() -> None:
        known = set(_logs(folder))
        while True:
            time.sleep(_POLL_S)
            for vkey in _logs(folder):
                if vkey not in known:
                    known.add(vkey)
                    key = parse_vkey(vkey)
                    state.logs[key.name] = [*state.logs.get(key.name, []), key]
                    say(f"Now cosigning {key.name} too.")

    threading.Thread(target=watch, name="logs", daemon=True).start()
