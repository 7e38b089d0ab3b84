"""The log's keys: which one signs now, handing over to another, revoking a replaced one. What is said is an entry and a signed statement.

The order makes a kill harmless: everything on disk is signed by the present key (head over N entries); the keyring takes the new key and
the statement "after N"; the event is appended; the next head is signed by the new key. A start that finds a statement in the keyring and
no event appends it (`due_events`). Leaves out: what a statement is and how it is followed (`proof.logkeys`), nodes that share a log
(`serverhome.keychange`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from affiant.kit.errors import BadInput, Conflict, LedgerFault, NotFound
from affiant.kit.home import Home
from affiant.kit.keyring import HeldKey, Keyring, save_keyring
from affiant.kit.signer import TransitSigner
from affiant.kit.vault import TransitPath
from affiant.ledger.checkpoints import LogKey, SignedHead
from affiant.ledger.envelope import Draft
from affiant.ledger.fileops import FileOps
from affiant.proof.errors import ProofError
from affiant.proof.logkeys import KEY_EVENTS, HandOver, LogKeys, Revocation, Statement, parse_statement, statements_bytes
from affiant.proof.note import ALG_ED25519, VerifierKey, signature_line

ROTATED, REVOKED = KEY_EVENTS
PUBLISHED = "keys.json"
OVERLAP_S = 30 * 86_400
MAX_OVERLAP_S = 400 * 86_400


class Pen(Protocol):
    """What a change of keys needs of the writer."""

    home: Home

    def now_us(self) -> int: ...
    def checkpoint(self, keep: bool = True) -> SignedHead: ...
    def append(self, drafts: list[Draft]) -> int: ...
    def use_keys(self, keyring: Keyring) -> None: ...


def chain(home: Home, ring: Keyring) -> LogKeys:
    """The log's keys one after another, as the keyring knows them.

    Raises:
        LedgerFault: its statements contradict one another.
    """
    try:
        return LogKeys(_vkey(home, ring.held[0]), ring.statements)
    except ProofError as error:
        raise LedgerFault(f"The keyring's statements do not hold: {error.message}", "Restore the keyring from a backup.") from error


def _vkey(home: Home, held: HeldKey) -> VerifierKey:
    return VerifierKey(home.origin, ALG_ED25519, held.public)


def signing_key(home: Home, ring: Keyring) -> LogKey:
    """The key in force, with those that still sign beside it.

    Raises:
        LedgerFault: as `chain`.
        NotFound: this home does not hold the key in force: another node replaced it.
        BadInput: Vault holds a key and is not configured.
    """
    keys = chain(home, ring)
    until = {h.old: h.overlap_until_us for h in keys.hand_overs}
    if not (ring.held[-1].seed or ring.held[-1].transit):
        raise NotFound(
            f"This home does not hold the log's key in force, {keys.current.id.hex()}.",
            "Bring keys/keyring of a node that does, and run `affiant ledger key take FILE`.",
        )
    beside = [
        (LogKey(home.origin, held.signer()), until[_vkey(home, held)])
        for held in ring.held[:-1]
        if (held.seed or held.transit) and _vkey(home, held) not in keys.revoked
    ]
    return LogKey(home.origin, ring.held[-1].signer(), beside)


def due_events(ring: Keyring, head: int, seen: Iterable[str]) -> list[Draft]:
    """Events of statements that the keyring holds and the ledger lacks: those of a rotation that was cut short.

    Args:
        head: entries under the signed head.
        seen: statements in the entries that no head covers.

    Raises:
        LedgerFault: a statement was made over more entries than are here: the ledger was rolled back.
    """
    known = set(seen)
    due = []
    for note in ring.statements:
        statement = _read(note)
        if statement.after > head:
            raise LedgerFault(
                f"The keyring says that {statement.after} entries were signed when the log's key changed; {head} are: it was rolled back.",
                "Restore segments/, ledger/, checkpoints.log and keys/ from one backup.",
            )
        if statement.after == head and note.decode() not in known:
            due.append(event_of(note, "system:ledger", "finished at start"))
    return due


def _read(note: bytes) -> Statement:
    try:
        return parse_statement(note)
    except ProofError as error:
        raise LedgerFault(f"A statement about the log's key does not hold: {error.message}", "Restore the keyring.") from error


def event_of(note: bytes, actor: str, why: str, held: str = "") -> Draft:
    """The event of a statement.

    Args:
        held: `vault:MOUNT/NAME@VERSION` where Vault holds the new key, so that other nodes find it.
    """
    statement = _read(note)
    if isinstance(statement, HandOver):
        body: dict[str, Any] = {
            "old": str(statement.old), "new": str(statement.new), "after": statement.after,
            "overlap_until": statement.overlap_until_us, "statement": note.decode(), "why": why,
        }  # fmt: skip
        if held:
            body["held"] = held
        return Draft(ROTATED, body, ref=statement.new.id.hex(), actor=actor)
    body = {"key": str(statement.key), "by_key": str(statement.by), "after": statement.after, "statement": note.decode(), "why": why}
    return Draft(REVOKED, body, ref=statement.key.id.hex(), actor=actor)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a rotation or revocation did: the keyring from now on, the event's index, the key concerned."""

    ring: Keyring
    index: int
    vkey: VerifierKey


def change(writer: Pen, ring: Keyring, asked: Any) -> Changed:
    """Do what was asked for: {"do": "rotate", "to": "" or vault:MOUNT/NAME, "overlap_s", "actor", "why"}, or {"do": "revoke", "key", …}.

    Raises:
        BadInput: it is neither. Others: as `rotate` and `revoke`.
    """
    wish = Wish.read(asked)
    if wish.do == "rotate":
        return rotate(writer, ring, new_key(wish.to), wish.overlap_s, wish.actor, wish.why)
    return revoke(writer, ring, wish.key, wish.actor, wish.why)


@dataclass(frozen=True, slots=True)
class Wish:
    """A request about the log's key; see `change`."""

    do: str
    actor: str
    why: str
    to: str = ""
    overlap_s: int = 0
    key: str = ""

    @classmethod
    def read(cls, asked: Any) -> Wish:
        """Read one.

        Raises:
            BadInput: it is none.
        """
        try:
            do, actor, why = str(asked["do"]), str(asked["actor"]), str(asked["why"])
            if do == "rotate":
                return cls(do, actor, why, to=str(asked["to"]), overlap_s=int(asked["overlap_s"]))
            if do == "revoke":
                return cls(do, actor, why, key=str(asked["key"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"The request about the log's key cannot be read: {error!r}.", "Use `affiant ledger key`.") from error
        raise BadInput(f"There is no {do!r} of the log's key.", "Ask to rotate or revoke.")


def new_key(to: str) -> HeldKey:
    """A fresh key in the keyring, or the one that a reference to Vault's transit engine names.

    Raises:
        BadInput, NotFound, Forbidden, CouldNotLook: as `TransitSigner.open`.
    """
    if not to:
        return HeldKey.local(secrets.token_bytes(32))
    signer = TransitSigner.open(TransitPath.parse(to))
    return HeldKey(signer.public, transit=signer.ref)


def rotate(writer: Pen, ring: Keyring, new: HeldKey, overlap_s: int, actor: str, why: str) -> Changed:
    """Hand the log over to another key; nothing else may write meanwhile.

    Args:
        writer: of the home, alone with it.
        ring: its open keyring.
        new: the key to come.
        overlap_s: seconds for which the old key signs beside the new one; 0 gives it up at once.
        actor: who does it.
        why: a word for people.

    Raises:
        BadInput: the overlap is too long. Conflict: the key was in force before.
        LedgerUnavailable: Vault cannot be reached; nothing was changed.
    """
    check_rotation(ring, new, overlap_s)
    # 1. All that is on disk is signed by the present key.
    after = writer.checkpoint(keep=True).size
    made = hand_over(writer.home, ring, new, overlap_s, after, writer.now_us())
    # 2. The keyring holds the decision; from here on a kill is made up for at the next start.
    changed = made.settled(overlap_s == 0)
    save_keyring(writer.home, changed)
    # 3. and 4. The entry, then a head over it by the new key.
    writer.use_keys(changed)
    index = writer.append([event_of(made.note, actor, why, new.transit)])
    publish(writer.home, changed)
    writer.checkpoint(keep=True)
    return Changed(changed, index, made.vkey)


def check_rotation(ring: Keyring, new: HeldKey, overlap_s: int) -> None:
    """Refuse what cannot be a hand-over.

    Raises:
        BadInput: the overlap is too long. Conflict: the key was in force before.
    """
    if not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise BadInput(f"An overlap of {overlap_s} s is too long.", f"At most {MAX_OVERLAP_S // 86_400} days.")
    if any(held.public == new.public for held in ring.held):
        raise Conflict("That key was a key of this log already.", "Make a fresh one; a key never comes back.")


@dataclass(frozen=True, slots=True)
class Made:
    """A statement that was signed, the keyring that goes with it (nothing given up yet), and the key concerned."""

    ring: Keyring
    note: bytes
    vkey: VerifierKey

    def settled(self, give_up: bool) -> Keyring:
        """The keyring once the statement holds.

        Args:
            give_up: without what the key before the one in force could sign with.
        """
        held = self.ring.held
        if not give_up:
            return self.ring
        return replace(self.ring, log_keys=(*held[:-2], held[-2].given_up(), held[-1]))


def hand_over(home: Home, ring: Keyring, new: HeldKey, overlap_s: int, after: int, now_us: int) -> Made:
    """Sign the log over to another key, for heads over more than `after` entries.

    Raises:
        LedgerUnavailable: Vault cannot be reached.
    """
    old_key, new_key = LogKey(home.origin, ring.held[-1].signer()), LogKey(home.origin, new.signer())
    statement = HandOver(home.origin, after, old_key.vkey, new_key.vkey, now_us + overlap_s * 1_000_000 if overlap_s else 0)
    note = old_key.sign_text(statement.text()) + signature_line(statement.text(), new_key.vkey, new_key.raw).encode()
    _read(note)
    held = (*_tidy(home, ring, now_us), new)
    return Made(replace(ring, log_seed=new.seed, log_keys=held, statements=(*ring.statements, note)), note, new_key.vkey)


def revoke(writer: Pen, ring: Keyring, key_id: str, actor: str, why: str) -> Changed:
    """Say that a replaced key is not to be believed for anything larger than the ledger is now; it signs no more.

    Raises:
        NotFound: no such key. Conflict: it is in force, or revoked already.
    """
    found = revocable(writer.home, ring, key_id)
    after = writer.checkpoint(keep=True).size
    made = revocation(writer.home, ring, found, after, writer.now_us())
    save_keyring(writer.home, made.ring)
    writer.use_keys(made.ring)
    index = writer.append([event_of(made.note, actor, why)])
    publish(writer.home, made.ring)
    writer.checkpoint(keep=True)
    return Changed(made.ring, index, found)


def revocable(home: Home, ring: Keyring, key_id: str) -> VerifierKey:
    """The replaced key of that id, or written out.

    Raises:
        NotFound: no such key. Conflict: it is in force, or revoked already.
    """
    keys = chain(home, ring)
    found = next((key for key in keys.keys if key_id in (key.id.hex(), str(key))), None)
    if found is None:
        raise NotFound(f"The log never had the key {key_id[:80]}.", "See `affiant ledger key show`.")
    if found == keys.current:
        raise Conflict("That key is in force.", "Rotate first: `affiant ledger key rotate --overlap-days 0`; then revoke it.")
    if found in keys.revoked:
        raise Conflict(f"That key is revoked for heads over more than {keys.revoked[found]} entries.", "Nothing to do.")
    return found


def revocation(home: Home, ring: Keyring, key: VerifierKey, after: int, now_us: int) -> Made:
    """Sign that a replaced key does not count for heads over more than `after` entries.

    Raises:
        LedgerUnavailable: Vault cannot be reached.
    """
    signer = LogKey(home.origin, ring.held[-1].signer())
    note = signer.sign_text(Revocation(home.origin, after, key, signer.vkey).text())
    _read(note)
    held = tuple(each.given_up() if each.public == key.public else each for each in _tidy(home, ring, now_us))
    return Made(replace(ring, log_keys=held, statements=(*ring.statements, note)), note, key)


def publish(home: Home, ring: Keyring) -> None:
    """Put the statements where readers of the log find them: `HOME/ledger/keys.json`, as in a package."""
    path = home.ledger / PUBLISHED
    data = statements_bytes(ring.statements)
    if ring.statements and not (path.exists() and path.read_bytes() == data):
        FileOps().replace(path, data, durable=True)


def _tidy(home: Home, ring: Keyring, now_us: int) -> tuple[HeldKey, ...]:
    """The keys held, without what those whose overlap is over could sign with."""
    until = {h.old.public: h.overlap_until_us for h in chain(home, ring).hand_overs}
    return tuple(held if until.get(held.public, now_us + 1) > now_us else held.given_up() for held in ring.held)


def tidied(home: Home, ring: Keyring, now_us: int) -> Keyring:
    """The keyring after overlaps that are over: their keys are taken out of the file."""
    held = _tidy(home, ring, now_us)
    if held == ring.held:
        return ring
    ring = replace(ring, log_keys=held)
    save_keyring(home, ring)
    return ring
