"""Verbs over sealed values, subjects' keys and legal holds. Each is one transaction of rows and events, as in `door`.

A person's contact address is sealed: the ledger holds a commitment to it, the value can be destroyed. Looking at one is an entry, too.
Leaves out: how values are encrypted (`ledger.sealed`), pruning (`ledger.retention`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from affiant.kit.errors import BadInput, Conflict, NotFound
from affiant.kit.halfstore import HalfStore
from affiant.kit.vaulthalves import VaultHalves
from affiant.ledger import Draft
from affiant.ledger.sealed import Place, Revealed, SealedStore
from affiant.records import people
from affiant.records.unit import Unit, Units, actor_of

CONTACT, FIELD = "person.contact_set", "contact"
EVERYTHING = "all"
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f]{1,64}@[^\s@<>\x00-\x1f]{1,190}")
MAX_WHY = 1_000


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: nothing in its scope is pruned or destroyed. `scope` is `all` or a subject such as `person/ann`."""

    id: str
    scope: str
    why: str
    by: str
    from_us: int


def subject_of(person: str) -> str:
    """The subject under whose key a person's values are sealed."""
    return f"person/{person}"


class SealedRecords:
    """Args:
    units: transactions over `records.db`.
    halves: of subjects' keys, outside the home.
    """

    def __init__(self, units: Units, halves: HalfStore, require: Callable[[str, str], None]) -> None:
        self._units, self._halves, self._require = units, halves, require

    def _store(self, unit: Unit) -> SealedStore:
        return SealedStore(unit.store.connection, unit.master, self._halves)

    # -- contact addresses

    def set_contact(self, person: str, contact: str, by: str) -> str:
        """Keep a person's e-mail address, sealed; gives the commitment. One's own, or another's for those who may invite people.

        Raises:
            BadInput: no address. Forbidden, NotFound: as `require`, or no such active person.
        """
        if by != person:
            self._require(by, "person.contact.set")
        if not _ADDRESS.fullmatch(contact):
            raise BadInput("That is no e-mail address.", "Write name@example.com, without a display name.")
        with self._units.write() as unit:
            people.active(unit, person)
            committed = self._store(unit).seal(Place(CONTACT, FIELD, person, subject_of(person)), contact, unit.now_us)
            unit.emit(
                Draft(CONTACT, {FIELD: committed, "subject": subject_of(person), "by": by}, ref=person, actor=actor_of(by))
            )  # fmt: skip
        return committed

    def contact(self, person: str, by: str) -> Revealed:
        """A person's address, opened, with what proves it. One's own, or another's for those who may; that it was looked at is an entry.

        Raises:
            Forbidden: as `require`. NotFound: none is kept, or it was destroyed.
        """
        if by != person:
            self._require(by, "person.contact.read")
        with self._units.write() as unit:
            store = self._store(unit)
            committed = store.newest(subject_of(person), CONTACT, FIELD)
            if committed is None:
                raise NotFound(f"No contact address of `{person}` is kept.", "It was never set, or was destroyed.")
            found = store.reveal(committed)
            body = {"of": CONTACT, "field": FIELD, "subject": subject_of(person), "by": by}
            unit.emit(Draft("sealed.opened", body, ref=person, actor=actor_of(by)))
        return found

    # -- destroying

    def destroy_subject(self, subject: str, why: str, by: str) -> int:
        """Destroy a subject's key: its sealed values are gone from here and from every copy of the home; how many there were.

        Raises:
            Forbidden: as `require`. NotFound: it has no key. Conflict: a legal hold is on it.
            CouldNotLook: the store of halves cannot be reached. Then nothing is said to be destroyed; a half in a store that nodes share
                may be gone all the same: the same command again says so.
        """
        self._require(by, "subject.destroy")
        _check_why(why)
        with self._units.write() as unit:
            self._refuse_held(unit, subject)
            store = self._store(unit)
            self._halves.get(subject)  # a missing store is found before anything is said to be destroyed
            count = store.destroy(subject, unit.now_us)
            body = {"by": by, "why": why, "values": count, "reapplied": 0}
            unit.emit(Draft("subject_key.destroyed", body, ref=subject, actor=actor_of(by)))
            if self._halves.shared:  # over a network it may fail: then nothing says that it was done
                self._halves.destroy(subject)
        if not self._halves.shared:
            self._halves.destroy(subject)
        self._units.database.forget_pages("subject_keys", "sealed")
        return count

    def finish(self) -> int:
        """Destroy halves that a kill between commit and destruction left; how many. Called at start; without the store there are none.

        In a store that nodes share none are left: there a half goes before the commit.
        """
        if self._halves.shared:
            return 0
        with self._units.read() as store:
            subjects = SealedStore(store.connection, b"", self._halves).destroyed()
        return sum(self._halves.destroy(subject) for subject in subjects) if subjects and self._halves.there else 0

    def copy_halves(self, target: VaultHalves) -> int:
        """Bring the halves of all subjects that have a key into another store; how many. Nothing may be sealed or forgotten meanwhile.

        Raises:
            CouldNotLook: a store cannot be reached, or a half is not where it was put: repeat it, the old store is as it was.
        """
        with self._units.read() as store:
            subjects = SealedStore(store.connection, b"", self._halves).live_subjects()
        gone = set(self._halves.missing(subjects))
        for subject in subjects:
            half = None if subject in gone else self._halves.get(subject)
            if half is not None:
                target.put(subject, half)
        return len(subjects) - len(gone)

    def reapply(self, by: str) -> list[str]:
        """After an older copy of the home was restored: destroy again what was destroyed since; gives the subjects.

        Raises:
            Forbidden: as `require`. CouldNotLook: the store of halves is not there. Conflict: it is another node's.
        """
        self._require(by, "subject.destroy")
        with self._units.write() as unit:
            store = self._store(unit)
            subjects = store.orphaned()
            if self._units.shared is not None and not self._halves.shared and subjects and len(subjects) == len(store.live_subjects()):
                raise Conflict(
                    "The store of halves here holds none of any subject's.",
                    "Run this on the node that keeps them. If all were destroyed, forget each by `affiant person forget`.",
                )
            for subject in subjects:
                body = {"by": by, "why": "its half outside was destroyed", "values": store.destroy(subject, unit.now_us), "reapplied": 1}
                unit.emit(Draft("subject_key.destroyed", body, ref=subject, actor=actor_of(by)))
        self._units.database.forget_pages("subject_keys", "sealed")
        return subjects

    # -- legal holds

    def holds(self) -> list[Hold]:
        """Holds in force, oldest first."""
        with self._units.read() as store:
            return [Hold(*row) for row in store.holds()]

    def place_hold(self, scope: str, why: str, by: str) -> Hold:
        """Put a hold on everything or on one subject: nothing in it is pruned or destroyed until it is released.

        Raises:
            Forbidden: as `require`. BadInput: no reason, or a scope of another form.
        """
        self._require(by, "hold.place")
        _check_why(why)
        if scope != EVERYTHING and not re.fullmatch(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9._-]{0,127}", scope):
            raise BadInput(f"{scope[:80]!r} is no scope of a hold.", "Write all, or a subject such as person/ann.")
        with self._units.write() as unit:
            hold = Hold(unit.new_id("lh"), scope, why, by, unit.now_us)
            unit.store.put_hold(hold.id, scope, why, by, unit.now_us)
            unit.emit(Draft("hold.placed", {"scope": scope, "why": why, "by": by}, ref=hold.id, actor=actor_of(by)))
        return hold

    def release_hold(self, hold: str, why: str, by: str) -> None:
        """Release a hold; not by the person who placed it.

        Raises:
            Forbidden: as `require`. NotFound: no such hold. Conflict: the same person placed it.
        """
        self._require(by, "hold.release")
        _check_why(why)
        with self._units.write() as unit:
            found = next((row for row in unit.store.holds() if row[0] == hold), None)
            if found is None:
                raise NotFound(f"There is no hold {hold}.", "See `affiant ledger hold list`.")
            if found[3] == by:
                raise Conflict("Whoever placed a hold does not release it.", "Let another person who may release it.")
            unit.store.end_hold(hold, unit.now_us)
            unit.emit(Draft("hold.released", {"scope": found[1], "why": why, "by": by}, ref=hold, actor=actor_of(by)))

    def pruned(self, minimum: int, before_us: int, root: str, by: str) -> None:
        """Record that the ledger is published from a later index on.

        Raises:
            Forbidden: as `require`. Conflict: a legal hold was placed meanwhile.
        """
        self._require(by, "ledger.prune")
        with self._units.write() as unit:
            held = unit.store.holds()
            if held:
                raise Conflict(f"The legal hold {held[0][0]} is in force.", "Nothing is pruned until it is released.")
            body = {"minimum": minimum, "before": before_us, "root": root, "by": by}
            unit.emit(Draft("ledger.pruned", body, ref=str(minimum), actor=actor_of(by)))

    @staticmethod
    def _refuse_held(unit: Unit, subject: str) -> None:
        held = [row for row in unit.store.holds() if row[1] in (EVERYTHING, subject)]
        if held:
            raise Conflict(f"The legal hold {held[0][0]} covers {subject}.", "Nothing under it is destroyed until it is released.")


def _check_why(why: str) -> None:
    if not why.strip() or len(why) > MAX_WHY:
        raise BadInput("A reason is needed.", f"Give --why with at most {MAX_WHY} characters.")
