"""The trust file: whose signatures count, obtained apart from any package. C2SP tlog-policy, with keys as verifier keys.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> <k>|any|all <name>...
    quorum <name>|none

Lines beginning with # and empty lines are ignored. A name stands before it is used; exactly one quorum line. Leaves out: how one
comes by the file, which decides what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, List, Tuple

from .errors import Lie, Malformed, NotAnchored
from .note import ALG_COSIGNATURE, ALG_ED25519, Checkpoint, Note, Signed, VerifierKey

MAX_LINES = 10_000


@dataclass(frozen=True)
class Group:
    """`k` of `members` (names of witnesses or groups) must have cosigned."""

    k: int
    members: Tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What a trust file says of a checkpoint: the log's key that signed it, and the witnesses whose cosignatures hold, by name."""

    log: VerifierKey
    witnesses: Dict[str, Signed]


@dataclass(frozen=True)
class TrustPolicy:
    """A parsed trust file."""

    logs: Tuple[VerifierKey, ...]
    witnesses: Dict[str, VerifierKey] = field(default_factory=dict)
    groups: Dict[str, Group] = field(default_factory=dict)
    quorum: str = "none"

    @classmethod
    def parse(cls, text: str) -> "TrustPolicy":
        """Read a trust file.

        Raises:
            Malformed: it is none; the message names the line.
        """
        logs: List[VerifierKey] = []
        witnesses: Dict[str, VerifierKey] = {}
        groups: Dict[str, Group] = {}
        quorum: List[str] = []
        lines = text.splitlines()
        if len(lines) > MAX_LINES:
            raise Malformed(f"The trust file has {len(lines)} lines; {MAX_LINES} are read.")
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                _read_line(words, logs, witnesses, groups, quorum)
            except Malformed as error:
                raise Malformed(f"Line {number} of the trust file: {error}") from None
        if len(quorum) != 1:
            raise Malformed(f"A trust file has exactly one quorum line; this one has {len(quorum)}.")
        if not logs:
            raise Malformed("The trust file names no log.", "Add a line `log <vkey>`.")
        return cls(tuple(logs), witnesses, groups, quorum[0])

    def check(self, note: Note) -> Verdict:
        """Check a checkpoint note against the file: signed by a named log, cosigned by the quorum.

        Raises:
            Lie: no named log signed it, a named key's signature does not hold, or the quorum is not met.
            NotAnchored: the quorum is `none`.
        """
        verdict = self.check_log(note)
        if self.quorum == "none":
            raise NotAnchored("The trust file names no witness (quorum none).", "Add a witness that the company does not run.")
        if not self._met(self.quorum, frozenset(verdict.witnesses)):
            have = ", ".join(sorted(verdict.witnesses)) or "none"
            raise Lie(
                f"The quorum {self.quorum} that the trust file demands is not met; cosigned by: {have}.",
                "A regenerated history looks like this; so does a checkpoint that the witness has not seen. Ask the witness.",
            )
        return verdict

    def check_log(self, note: Note) -> Verdict:
        """The part of `check` that asks for the log's signature only."""
        log_keys = [key for key in self.logs if key.name == Checkpoint.parse(note.text).origin]
        signed = {found.key: found for found in note.verify([*log_keys, *self.witnesses.values()])}
        for key in log_keys:
            if key in signed:
                return Verdict(key, {name: signed[vkey] for name, vkey in self.witnesses.items() if vkey in signed})
        raise Lie("No log that the trust file names signed this checkpoint.", "Compare the log's key with the one that you were given.")

    def _met(self, name: str, signed: FrozenSet[str]) -> bool:
        """Whether a witness or group has cosigned. Groups are judged in the order of their lines: members stand before them."""
        met = set(signed)
        for group, rule in self.groups.items():
            if sum(member in met for member in rule.members) >= rule.k:
                met.add(group)
        return name in met


def _read_line(
    words: List[str], logs: List[VerifierKey], witnesses: Dict[str, VerifierKey], groups: Dict[str, Group], quorum: List[str]
) -> None:
    keyword, rest = words[0], words[1:]
    if keyword == "log" and len(rest) in (1, 2):
        key = VerifierKey.parse(rest[0])
        if key.alg != ALG_ED25519:
            raise Malformed(f"A log with algorithm {key.alg} cannot be checked here.")
        logs.append(key)
    elif keyword == "witness" and len(rest) in (2, 3):
        _fresh(rest[0], witnesses, groups)
        key = VerifierKey.parse(rest[1])
        if key.alg != ALG_COSIGNATURE:
            raise Malformed(f"A witness with algorithm {key.alg} cannot be checked here.")
        if key in witnesses.values():
            raise Malformed("A witness key is named twice.")
        witnesses[rest[0]] = key
    elif keyword == "group" and len(rest) >= 3:
        _fresh(rest[0], witnesses, groups)
        members = tuple(rest[2:])
        unknown = [member for member in members if member not in witnesses and member not in groups]
        if unknown or len(set(members)) != len(members):
            raise Malformed(f"The group {rest[0]} names {unknown[0] if unknown else 'a member twice'}.")
        groups[rest[0]] = Group(_threshold(rest[1], len(members)), members)
    elif keyword == "quorum" and len(rest) == 1:
        if rest[0] != "none" and rest[0] not in witnesses and rest[0] not in groups:
            raise Malformed(f"The quorum names {rest[0]}, which no line before it does.")
        quorum.append(rest[0])
    else:
        raise Malformed(f"{' '.join(words)[:60]!r} is no line of a trust file.")


def _fresh(name: str, witnesses: Dict[str, VerifierKey], groups: Dict[str, Group]) -> None:
    if name == "none" or name in witnesses or name in groups:
        raise Malformed(f"The name {name} is taken.")


def _threshold(text: str, members: int) -> int:
    k = {"any": 1, "all": members}.get(text) or (int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0)
    if not 1 <= k <= members:
        raise Malformed(f"A group of {members} cannot need {text}.")
    return k
