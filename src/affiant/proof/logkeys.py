"""The log's keys, one after another: a key hands over to the next, and says so under its own signature.

A statement is a C2SP signed note whose text is no checkpoint (its second line is a word):

    affiant log key v1 <origin>            affiant log key v1 <origin>
    hands-over-after <entries>             revoked-after <entries>
    from <old vkey>                        key <vkey>
    to <new vkey>                          by <vkey in force>
    overlap-until <µs UTC>

A hand-over is signed by the old key and, to accept, by the new one; a revocation by the key in force. From then on every checkpoint
over more than <entries> entries must be signed by the new key; the old one signs beside it until the overlap ends, for readers that know
only it. A checkpoint signed by a revoked key alone, over more entries than its revocation names, is refused. Leaves out: whether the
first key is the right one (the trust file says), and where statements come from (entries, and a package's `ledger/keys.json`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from . import canonical
from .errors import Lie, Malformed
from .note import ALG_ED25519, Checkpoint, Note, VerifierKey
from .trust import TrustPolicy

KEYS = "ledger/keys.json"
KEY_EVENTS = ("log_key.rotated", "log_key.revoked")
MAX_STATEMENTS = 1_000
_HEAD = "affiant log key v1 "
_COUNT = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True)
class HandOver:
    """A key hands over to another: heads over more than `after` entries are signed by `new`."""

    origin: str
    after: int
    old: VerifierKey
    new: VerifierKey
    overlap_until_us: int

    def text(self) -> str:
        """The note text that both keys sign."""
        return (
            f"{_HEAD}{self.origin}\nhands-over-after {self.after}\nfrom {self.old}\nto {self.new}\noverlap-until {self.overlap_until_us}\n"
        )


@dataclass(frozen=True)
class Revocation:
    """A key is revoked by the one in force: no head over more than `after` entries counts if only `key` signed it."""

    origin: str
    after: int
    key: VerifierKey
    by: VerifierKey

    def text(self) -> str:
        """The note text that the key in force signs."""
        return f"{_HEAD}{self.origin}\nrevoked-after {self.after}\nkey {self.key}\nby {self.by}\n"


Statement = Union[HandOver, Revocation]


def parse_statement(data: bytes) -> Statement:
    """Read a statement and check the signatures that it needs.

    Raises:
        Malformed: it is none.
        Lie: a signature that it needs is missing or does not hold.
    """
    note = Note.parse(data)
    words = [line.partition(" ") for line in note.text[:-1].split("\n")]
    kinds = [word for word, _, _ in words[1:]]
    values = [value for _, _, value in words[1:]]
    head = note.text.partition("\n")[0]
    if not head.startswith(_HEAD) or kinds not in (["hands-over-after", "from", "to", "overlap-until"], ["revoked-after", "key", "by"]):
        raise Malformed("This is no statement about a log's key.")
    origin = head[len(_HEAD) :]
    first, second = VerifierKey.parse(values[1]), VerifierKey.parse(values[2])
    counts = [values[0], *values[3:]]
    if not all(_COUNT.fullmatch(text) for text in counts) or any(k.alg != ALG_ED25519 or k.name != origin for k in (first, second)):
        raise Malformed("A statement about a log's key names no numbers, or keys of another log.")
    if first == second:
        raise Malformed("A statement names one key twice.")
    if len(kinds) == 4:
        statement: Statement = HandOver(origin, int(values[0]), first, second, int(values[3]))
        needed = {first, second}
    else:
        statement = Revocation(origin, int(values[0]), first, second)
        needed = {second}
    if {signed.key for signed in note.verify(needed)} != needed:
        raise Lie("A statement about a log's key is not signed by every key that must sign it.")
    return statement


def statements_bytes(notes: Iterable[bytes]) -> bytes:
    """Bytes of a package's `ledger/keys.json`: canonical JSON {"statements": [note text, …]}, oldest first."""
    return canonical.dumps({"statements": [note.decode("utf-8") for note in notes]})


def parse_statements(data: bytes) -> List[bytes]:
    """Notes of `ledger/keys.json`.

    Raises:
        Malformed: it is none.
    """
    raw = canonical.loads(data)
    notes = raw.get("statements") if type(raw) is dict else None
    if type(notes) is not list or len(notes) > MAX_STATEMENTS or not all(type(text) is str for text in notes):
        raise Malformed("The statements about the log's keys cannot be read.")
    return [text.encode("utf-8") for text in notes]


class LogKeys:
    """Which key must have signed which head.

    Args:
        first: the key that the log began with, or the one that a reader trusts.
        notes: statements, oldest first.

    Raises:
        Malformed, Lie: a statement is none, is not signed as it must be, or does not follow from those before it.
    """

    def __init__(self, first: VerifierKey, notes: Sequence[bytes] = ()) -> None:
        self.keys: List[VerifierKey] = [first]
        self.hand_overs: List[HandOver] = []
        self.revoked: Dict[VerifierKey, int] = {}
        self.notes = tuple(notes)
        after = 0
        for data in notes:
            statement = parse_statement(data)
            if statement.origin != first.name or statement.after < after:
                raise Lie("A statement about a log's key is of another log, or out of order.")
            after = statement.after
            self._take(statement)

    @classmethod
    def ending_in(cls, last: VerifierKey, notes: Sequence[bytes]) -> "LogKeys":
        """The keys that lead to `last`, which must be the one in force after all statements.

        Raises:
            Malformed, Lie: as the constructor, or another key is in force.
        """
        found = [statement for statement in map(parse_statement, notes) if isinstance(statement, HandOver)]
        keys = cls(found[0].old if found else last, notes)
        if keys.current != last:
            raise Lie(f"The statements about the log's keys end in {keys.current.id.hex()}, not in {last.id.hex()}.")
        return keys

    def describe(self) -> str:
        """What is to be said of it, where one key followed another; else ""."""
        if not self.hand_overs:
            return ""
        words = ", ".join(f"{h.old.id.hex()} handed over after {h.after:,} entries" for h in self.hand_overs)
        gone = "".join(f"; {key.id.hex()} was revoked after {after:,} entries" for key, after in self.revoked.items())
        return f" ({words}{gone})"

    def check_entries(self, entries: Iterable[Tuple[int, Mapping[str, Any]]]) -> None:
        """Check that every entry about keys (index, body) is among the statements, and stands behind the entries that it names.

        Raises:
            Lie: it does not.
        """
        known = {note.decode("utf-8"): parse_statement(note).after for note in self.notes}
        for index, body in entries:
            after = known.get(str(body.get("statement", "")))
            if after is None or index < after:
                raise Lie(f"Entry {index} says something about the log's keys that the package's statements do not say.")

    def _take(self, statement: Statement) -> None:
        current = self.keys[-1]
        if isinstance(statement, HandOver):
            if statement.old != current or statement.new in self.keys:
                raise Lie(f"A hand-over begins with the key {statement.old.id.hex()}; {current.id.hex()} was in force.")
            if current in self.revoked:
                raise Lie(f"The key {current.id.hex()} hands over after it was revoked.")
            self.keys.append(statement.new)
            self.hand_overs.append(statement)
        elif statement.by != current or statement.key not in self.keys or statement.key == current:
            raise Lie("A revocation is not by the key in force, or of a key that this log never had or still has.")
        else:
            self.revoked.setdefault(statement.key, statement.after)

    @property
    def current(self) -> VerifierKey:
        """The key in force after all statements."""
        return self.keys[-1]

    def at(self, size: int) -> VerifierKey:
        """The key that must have signed a head over `size` entries."""
        key = self.keys[0]
        for hand_over in self.hand_overs:
            if size > hand_over.after:
                key = hand_over.new
        return key

    def check(self, note: Note) -> VerifierKey:
        """Check that the key in force at a head's size signed it; gives that key.

        Raises:
            Lie: it did not; says so where only a revoked or replaced key signed.
        """
        head = Checkpoint.parse(note.text)
        due = self.at(head.size)
        signed = {found.key for found in note.verify(self.keys)}
        if head.origin == due.name and due in signed:
            return due
        for key in signed:
            if self.revoked.get(key, head.size) < head.size:
                raise Lie(f"A head over {head.size} entries is signed only by the key {key.id.hex()}, revoked after {self.revoked[key]}.")
            raise Lie(f"A head over {head.size} entries is signed by the key {key.id.hex()}; {due.id.hex()} was in force.")
        raise Lie(f"A head over {head.size} entries is not signed by a key of {due.name}.")


def following(policy: TrustPolicy, notes: Sequence[bytes]) -> Tuple[TrustPolicy, int]:
    """A trust file with the keys added that its logs' keys handed over to or accepted the log from, and how many those are.

    Both keys signed a hand-over, so it leads either way; which heads each may have signed is for `LogKeys.check` to say. A hand-over
    between keys of which neither is named, directly or so, adds nothing.
    """
    logs = list(policy.logs)
    followed = 0
    hand_overs = [statement for statement in map(parse_statement, notes) if isinstance(statement, HandOver)]
    steps = [(h.old, h.new) for h in hand_overs] + [(h.new, h.old) for h in reversed(hand_overs)]
    for known, other in steps:
        if known in logs and other not in logs:
            logs.append(other)
            followed += 1
    return replace(policy, logs=tuple(logs)), followed
