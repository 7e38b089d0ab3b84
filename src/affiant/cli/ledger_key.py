"""`affiant ledger key …`: the log's signing key, the secret that unlocks the keyring, where halves of subjects' keys lie.

Works while the home is served and while not, but for moving those halves. Leaves out: gateway keys (`affiant key`), tenants' keys.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from affiant.cli.session import as_option, reach
from affiant.cli.shared import home_option, need_home, out, say, when
from affiant.kit.clock import open_clock
from affiant.kit.errors import BadInput, Conflict
from affiant.kit.keyring import open_keyring, rewrap
from affiant.kit.vault import KvPath
from affiant.kit.vaulthalves import VaultHalves
from affiant.ledger.keycall import ask_for_keys, take_keys
from affiant.ledger.logkeys import chain
from affiant.ledger.opening import reading
from affiant.ledger.where import is_server_home
from affiant.proof.note import VerifierKey
from affiant.records import Records

DAY_S = 86_400
_NODES = (
    "Only this node can sign with it: until another has the key, heads wait while this one is away. For each other node: "
    "bring it a copy of this node's keys/keyring and run `affiant ledger key take FILE` there."
)
_NODES_VAULT = "Other nodes find it in Vault, if their token may read and sign with it; `affiant status` there says if not."


@click.group("key")
def command() -> None:
    """Show, rotate, take over and revoke the log's signing key; secrets beside it."""


@command.command("show")
@home_option
def show(home: Path | None) -> None:
    """Show every key of the log: since when it signs, until when, where its private half lies."""
    opened = need_home(home)
    with reading(opened) as reader:
        keys = reader.log_keys()
    held = {key.public: key for key in open_keyring(opened).held}
    after = {h.new: h.after for h in keys.hand_overs}
    overlap = {h.old: h.overlap_until_us for h in keys.hand_overs}
    rows = []
    for key in keys.keys:
        one = held.get(key.public)
        where = "not here" if one is None else one.transit or ("keyring" if one.seed else "given up")
        rows.append({
            "id": key.id.hex(), "vkey": str(key), "in_force": int(key == keys.current), "after": after.get(key, 0),
            "signs_beside_until": overlap.get(key, 0), "revoked_after": keys.revoked.get(key, -1), "private": where,
        })  # fmt: skip
    out({"keys": rows})
    for key, row in zip(keys.keys, rows, strict=True):
        state = "in force" if row["in_force"] else "replaced"
        if key in keys.revoked:
            state = f"revoked for heads over more than {keys.revoked[key]:,} entries"
        elif not row["in_force"] and overlap[key]:
            state += f", signs beside the new one until {when(overlap[key])}"
        say(f"{row['id']}  {state} · private half: {row['private']}")


@command.command("rotate")
@home_option
@click.option(
    "--to", default="", metavar="REF", help="vault:MOUNT/NAME of an Ed25519 transit key (default: a fresh key in the encrypted keyring)."
)
@click.option("--overlap-days", type=click.IntRange(0, 400), default=30, show_default=True, metavar="N",
              help="Days for which the old key signs beside the new one; 0 gives it up at once.")  # fmt: skip
@click.option("--why", default="scheduled", metavar="TEXT", help="Why.")
@as_option
def rotate(home: Path | None, to: str, overlap_days: int, why: str, person: str) -> None:
    """Hand the log over to another key: the old one signs over to the new, as an entry.

    Who trusts the old key follows the signed hand-over. Give the new verifier key to witnesses and auditors within the overlap.
    """
    asked = {"do": "rotate", "to": to, "overlap_s": overlap_days * DAY_S, "actor": _actor(person), "why": why}
    opened = need_home(home)
    made = ask_for_keys(opened, open_clock(), asked)
    out(made)
    say(f"The log is signed by {VerifierKey.parse(made['vkey']).id.hex()} from entry {made['index']:,} on. Tell witnesses and auditors.")
    if is_server_home(opened):
        say(_NODES_VAULT if to else _NODES)


@command.command("take")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@click.option("--unlock", default="", metavar="REF", help="The secret that opens FILE, where it is another than this node's.")
def take(file: Path, home: Path | None, unlock: str) -> None:
    """Take over the log's key from FILE, a copy of another node's keys/keyring, on a ledger that lies on servers.

    The file is encrypted and stays so. A node that serves takes the key up within a second, and may then lead.
    """
    opened = need_home(home)
    ring = take_keys(opened, file, unlock)
    keys = chain(opened, ring)
    out({"vkey": str(keys.current), "keys": len(keys.keys)})
    say(f"This node holds {keys.current.id.hex()}, the newest of {len(keys.keys)} keys of the log.")


@command.command("revoke")
@click.argument("key", metavar="ID")
@home_option
@click.option("--why", required=True, metavar="TEXT", help="Why, such as: its seed was in a lost backup.")
@as_option
def revoke(key: str, home: Path | None, why: str, person: str) -> None:
    """Revoke a replaced key: a longer head that only it signed is refused from now on, and it signs no more."""
    made = ask_for_keys(need_home(home), open_clock(), {"do": "revoke", "key": key, "actor": _actor(person), "why": why})
    out(made)
    say(f"{key} is revoked in entry {made['index']:,}. Take it out of trust files.")


@command.command("unlock")
@home_option
@click.option("--to", default="", metavar="REF", help="env:NAME, file:PATH or vault:MOUNT/PATH#FIELD of a secret that is in place already.")
def unlock(home: Path | None, to: str) -> None:
    """Replace the secret that unlocks the keyring; the keys in it stay."""
    ref = rewrap(need_home(home), to)
    out({"rewrapped": 1, "set": ref})
    say(f"Set AFFIANT_UNLOCK={ref} wherever Affiant is started." if ref else "The new secret lies where the old one was.")


@command.command("subjects")
@home_option
@click.option("--to", required=True, metavar="REF", help="vault:MOUNT/PREFIX of a KV engine of version 2, which all nodes reach.")
def subjects(home: Path | None, to: str) -> None:
    """Copy the halves of subjects' keys from where AFFIANT_SUBJECTS says into Vault. The old store stays until you remove it."""
    opened = need_home(home)
    if reach(opened) is not None:
        raise Conflict("The home is served.", "Stop it on this node first: nothing may be sealed or forgotten meanwhile.")
    scheme, _, rest = to.partition(":")
    if scheme != "vault":
        raise BadInput(f"{to[:80]!r} names no path in Vault.", "Write vault:MOUNT/PREFIX.")
    keyring = open_keyring(opened)
    with closing(Records(opened, keyring, open_clock())) as records:
        count = records.sealed.copy_halves(VaultHalves(opened, keyring.master, KvPath.parse(rest)))
    out({"copied": count, "set": to})
    say(f"{count} halves are in Vault. Set AFFIANT_SUBJECTS={to} on every node, ask `affiant doctor`, then destroy the old store.")


def _actor(person: str) -> str:
    if person and not person.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise Conflict(f"{person!r} is no person.", "Give a handle with --as.")
    return f"person:{person}" if person else "system:local"
