"""The door of records: every verb, over `HOME/records.db` or what nodes share. Each is one transaction of rows and event bytes together.

`by` and `author` name who acts: a person's id, or `local` for the home's local credential without a person. Roles are checked
here, so that console, API and command line cannot differ. Methods block (they wait for the disk) and may be called from any
thread. Leaves out: HTTP, pages, and who the caller is (they authenticate; records only believe them).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from affiant.kit.clock import Clock
from affiant.kit.crypto import check_password, hash_password, secret_hash
from affiant.kit.errors import BadInput, Forbidden, NotFound
from affiant.kit.halfstore import open_halves
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft
from affiant.records import activate as activation
from affiant.records import changes, keys, people, roles, tenants, usage
from affiant.records.appeals import Appeals
from affiant.records.apply import BOOTSTRAPPED, Apply
from affiant.records.compile import compile_snapshot
from affiant.records.controls import SHIPPED, adopt
from affiant.records.detectors import Judge, no_judge
from affiant.records.document import read_document
from affiant.records.faults import Faults
from affiant.records.fields import id_fault
from affiant.records.jobs import JobBook, Kept, SharedJobs
from affiant.records.model import (
    LOCAL,
    NO_TENANT,
    Adopted,
    ApplyResult,
    Change,
    Governed,
    Key,
    NewKey,
    Person,
    Session,
    SignIn,
    UsageResult,
)  # fmt: skip
from affiant.records.network import Resolve, resolve_host
from affiant.records.outbox import Outbox
from affiant.records.policies import built_in_policies
from affiant.records.references import scope_faults
from affiant.records.sealed import SealedRecords
from affiant.records.slices import Slices
from affiant.records.snapshot import STALE_OK_MS, Snapshot
from affiant.records.unit import Units, actor_of


class Records:
    """What exists and what is permitted.

    Args:
        home: the home.
        keyring: its open keys; `master` seals tenant-month keys.
        clock: wall time.
        on_commit: called after each commit that put events into the outbox (to wake the writer); from any thread, must not block.
        resolve: how a provider's host becomes addresses.
        create: makes records; `init` only. Elsewhere missing ones are an error, never made anew.
        judge: of detectors that policies declare; without one none is taken in.

    Raises:
        CouldNotLook: records are missing or cannot be written.
        Conflict: the home has records of its own beside those that it shares.
        BadInput: they are damaged, or a newer version wrote them.
    """

    def __init__(
        self, home: Home, keyring: Keyring, clock: Clock, on_commit: Callable[[], None] | None = None, resolve: Resolve = resolve_host,
        create: bool = False, judge: Judge = no_judge,
    ) -> None:  # fmt: skip
        self.home, self.clock = home, clock
        self._keyring, self._resolve, self._judge = keyring, resolve, judge
        self._units = Units(home, keyring.master, clock, on_commit, create)
        self._halves = open_halves(home, keyring.master)
        self.sealed = SealedRecords(self._units, self._halves, self.require)
        """Sealed values, subjects' keys and legal holds."""
        self.sealed.finish()
        self.appeals = Appeals(self._units, self.require)
        """Appeals against what guards decided."""
        self.nodes = self._units.nodes
        """The nodes that share these records."""
        self.jobs: JobBook | None = SharedJobs(self._units.shared, home.node) if self._units.shared is not None else None
        """Which scheduled work was taken by which node; None where there is one."""
        self.slices = Slices(self._units.shared) if self._units.shared is not None else None
        """Where nodes that share records lease slices of limits. None where there is one node."""
        self.kept: Kept | None = Kept(self._units.shared) if self._units.shared is not None else None
        """Small sealed things that every node needs; None where there is one."""
        self.serving = False
        """Whether workers may be connected (the snapshot server sets it): then they confirm revocations; else nothing serves."""

    def close(self) -> None:
        """Close the database, and the store of subjects' key halves."""
        self._units.database.close()
        self._halves.close()

    @property
    def producer(self) -> str:
        """Name under which record events are written."""
        return self._units.producer

    def number_from(self, following: int) -> None:
        """Number the next event from here on: for a ledger that was made without records and holds those before."""
        with self._units.write() as unit:
            Outbox(unit.store.connection).number_from(following)

    # -- who acts

    def require(self, by: str, action: str) -> None:
        """Let an action pass, or record and raise the refusal.

        Raises:
            Forbidden: `by` may not; an `access.denied` event says so.
            NotFound: there is no such active person.
        """
        self._units.require(by, action)

    def may(self, by: str, action: str) -> bool:
        """Whether `by` may do an action."""
        return self._units.may(by, action)

    def deny(self, person: str, action: str, why: str) -> None:
        """Record a refusal that was decided elsewhere; `person` is "" for somebody unknown."""
        self._units.deny(person, action, why)

    # -- people, sign-in, sessions

    def people(self) -> list[Person]:
        """Everybody, those who left included."""
        with self._units.read() as store:
            return store.people()

    def person(self, person: str) -> Person:
        """One person.

        Raises:
            NotFound: no such person.
        """
        with self._units.read() as store:
            found = store.person(person)
        if found is None:
            raise NotFound(f"There is no person `{person}`.", "See `people`.")
        return found

    def set_password(self, person: str, password: str, by: str) -> None:
        """Give a person a local password: themselves, or somebody who may invite people.

        Raises:
            BadInput: too short. Forbidden, NotFound: as `require`.
        """
        if by != person:
            self.require(by, "person.invite")
        people.check_password_rules(password)
        hashed = hash_password(password)
        with self._units.write() as unit:
            people.active(unit, person)
            unit.store.set_password(person, hashed)
            unit.emit(Draft("person.password_set", {"by": by}, ref=person, actor=actor_of(by)))

    def sign_in(self, person: str, password: str) -> SignIn:
        """A session for a password.

        Raises:
            Forbidden: wrong person or password, or resting after too many failures; a `session.refused` event says so.
        """
        with self._units.read() as store:
            row = store.sign_in_row(person)
        stored, failures, failed_us = row or ("", 0, 0)
        resting = people.locked(failures, failed_us, self.clock.now_us())
        if not resting and check_password(password, stored):
            with self._units.write() as unit:
                return people.open_session(unit, person, "password")
        with self._units.write() as unit:
            if row is not None and not resting:
                unit.store.set_failures(person, failures + 1, unit.now_us)
            people.refuse_sign_in(unit, person if row else "", "too many failures" if resting else "wrong person or password")
        if resting:
            raise Forbidden("Sign-in rests after too many failures.", f"Try again in {people.LOCK_S // 60} minutes, or use a sign-in link.")
        raise Forbidden("Person or password is wrong.", "Try again, or ask an admin for a sign-in link.")

    def sign_in_link(self, person: str, by: str) -> str:
        """A one-time token with which `person` signs in within 15 minutes.

        Raises:
            Forbidden, NotFound: as `require`, or no such active person.
        """
        self.require(by, "person.invite")
        with self._units.write() as unit:
            return people.make_link(unit, person, by)

    def use_link(self, token: str) -> SignIn:
        """A session for a one-time token; the token is used up.

        Raises:
            Forbidden: unknown, used or expired; a `session.refused` event says so.
        """
        with self._units.write() as unit:
            found = people.take_link(unit, token)
        if found is None:
            raise Forbidden("This sign-in link is unknown, used or expired.", "Ask for a new one: `affiant link PERSON`.")
        return found

    def session(self, token: str) -> Session | None:
        """The live session of a token, or None. Notes that it was used, at most once a minute."""
        now_us = self.clock.now_us()
        with self._units.read() as store:
            row = store.session_by_token(secret_hash(token))
        if row is None:
            return None
        if not people.fresh(row["seen_us"], row["expires_us"], now_us):
            self.close_expired_sessions()
            return None
        if people.stale_touch(row["seen_us"], now_us):
            with self._units.write() as unit:
                unit.store.touch_session(row["id"], now_us)
        with self._units.read() as store:
            person = store.person(row["person"])
        if person is None or not person.active:
            return None
        return Session(row["id"], person.id, person.roles, row["csrf"], row["opened_us"], row["expires_us"])

    def sign_out(self, session: str, by: str) -> None:
        """End a session: one's own, or anybody's for those who may invite people.

        Raises:
            NotFound: no such session. Forbidden: somebody else's.
        """
        with self._units.read() as store:
            person = store.session_person(session)
        if person is None:
            raise NotFound("There is no such session.", "It may have ended already.")
        people.may_close(person, by, staff=by != person and self.may(by, "person.invite"))
        with self._units.write() as unit:
            people.close_session(unit, session, person, actor_of(by))

    def close_expired_sessions(self) -> int:
        """End sessions past their end; how many."""
        with self._units.write() as unit:
            return people.close_expired(unit)

    def leave(self, person: str, by: str) -> None:
        """Somebody leaves: roles, sessions, sign-in links and keys go in one transaction. Taking rights away needs no approval.

        Raises:
            Forbidden, NotFound: as `require`, or no such person. Conflict: gone already.
        """
        self.require(by, "person.leave")
        with self._units.write() as unit:
            people.leave_conflict(unit.store.person(person), person)
            people.take_out(unit, person, "", actor_of(by))
            self._settle(unit)

    # -- keys

    def keys(self, owner: str = "") -> list[Key]:
        """Every key, or those of one owner."""
        with self._units.read() as store:
            return store.all_keys(owner)

    def key(self, key: str) -> Key:
        """One key.

        Raises:
            NotFound: no such key.
        """
        with self._units.read() as store:
            found = store.key(key)
        if found is None:
            raise NotFound(f"There is no key `{key}`.", "See `key list`.")
        return found

    def create_key(
        self, owner: str, scope: Collection[str], by: str, tenant: str = NO_TENANT, expires_us: int = 0, key_id: str = ""
    ) -> NewKey:  # fmt: skip
        """Make a key; its secret is in the answer and nowhere else.

        Args:
            owner: an active person.
            scope: route or model ids, or `*` for every route of its tenant.
            expires_us: when it stops working; 0 for never.
            key_id: "" takes a fresh one.

        Raises:
            FaultyInput: every fault. Forbidden, NotFound: as `require`. Conflict: the id is taken.
        """
        self.require(by, "key.create")
        faults = Faults("The key")
        for name, value, person in (
            ("owner", owner, True),
            ("tenant", tenant if tenant != NO_TENANT else "x", False),
            ("id", key_id or "x", False),
        ):
            if problem := id_fault(value, person):
                faults.add(name, problem)
        if not scope:
            faults.add("models", "must name at least one route or model, or `*`.")
        if expires_us and expires_us <= self.clock.now_us():
            faults.add("expires", "lies in the past.")
        with self._units.write() as unit:
            found = unit.store.person(owner)
            if found is None or not found.active:
                faults.add("owner", f"`{owner}` is no active person." if "@" not in owner else "is no handle.")
            for number, text in scope_faults(list(scope), unit.store.state()):
                faults.add(f"models[{number}]", text)
            faults.stop()
            return keys.create(unit, owner, tenant, tuple(dict.fromkeys(scope)), expires_us, by, key_id)

    def revoke_key(self, key: str, by: str, why: str = "revoked by hand") -> Key:
        """Ask that a key stop working. Its owner may always; workers confirm within two seconds.

        Raises:
            Forbidden, NotFound: as `require`, or no such key. Conflict: revoked already.
        """
        if self.key(key).owner != by:
            self.require(by, "key.revoke")
        with self._units.write() as unit:
            keys.ask_revoke(unit, key, why, actor_of(by))
            self._settle(unit)
        return self.key(key)

    def rotate_key(self, key: str, by: str) -> NewKey:
        """A new key with the same owner, tenant and scope; the old one is revoked in the same transaction.

        Raises:
            Forbidden, NotFound: as `require`. Conflict: revoked already.
        """
        self.require(by, "key.create")
        with self._units.write() as unit:
            old = keys.live(unit, key)
            people.active(unit, old.owner)
            new = keys.create(unit, old.owner, old.tenant, old.scope, old.expires_us, by)
            keys.ask_revoke(unit, key, f"rotated: {new.key.id}", actor_of(by))
            self._settle(unit)
        return new

    def _settle(self, unit: Any) -> None:
        """Where nothing serves, no worker is in contact: what was asked for is in effect at once."""
        if not self.serving and not self.nodes.others(unit.store.connection):
            keys.finish_revocations(unit, unit.new_epoch(), 0)

    def finish_revocations(self, epoch: int, workers: int) -> tuple[str, ...]:
        """Write `key.revoked` for what an epoch carries that every worker in contact has confirmed; ids of those keys."""
        if not self.revoking():
            return ()
        with self._units.write() as unit:
            return keys.finish_revocations(unit, epoch, workers)

    def revoking(self) -> int:
        """The lowest epoch that carries a revocation not yet confirmed; 0 if there is none."""
        with self._units.read() as store:
            rows = store.revoking()
        return int(rows[0]["revoke_epoch"]) if rows else 0

    # -- changes

    def propose(
        self, kind: str, target: str, raw: Any, author: str, emergency: bool = False, reason: str = "", approved_by: str = ""
    ) -> Change:  # fmt: skip
        """Propose a change.

        Args:
            kind: person, provider, policy, model, route, limit or commitment.
            target: record id ("" gives a limit the id that follows from its content).
            raw: the record's fields as in an apply file, without `id`; None removes it.
            emergency: lets the author approve it; shows as a deviation.
            approved_by: a person who is asked to confirm it.

        Raises:
            BadInput, FaultyInput: the content. Forbidden, NotFound: as `require`. Conflict: nothing to change, or open already.
        """
        changes.check_kind(kind)
        self.require(author, f"change.propose:{kind}")
        target, content, awaits = changes.read_proposal(kind, target, raw, self._resolve, self._judge)
        if emergency and not reason.strip():
            raise BadInput("An emergency change needs a reason.", "Give --reason.")
        awaits = approved_by or awaits
        if awaits and not (emergency and awaits == author):
            self._check_named(kind, awaits, author)
        with self._units.write() as unit:
            return changes.propose(unit, kind, target, content, author, awaits, emergency, reason.strip())

    def _check_named(self, kind: str, awaits: str, author: str) -> None:
        """Refuse to wait for somebody who cannot confirm."""
        if awaits == author:
            raise BadInput("`approved_by` must be another person than the author.", "Name somebody else.")
        if not self._known_may(awaits, f"change.approve:{kind}"):
            allowed = ", ".join(roles.who_may(f"change.approve:{kind}"))
            raise BadInput(f"`{awaits}` may not approve a {kind}.", f"Name a person with one of the roles: {allowed}.")

    def approve(self, change: str, by: str, digest: str = "") -> Change:
        """Approve the content of a change.

        Args:
            digest: of the content that was looked at; "" takes the proposed one.

        Raises:
            Forbidden: role, or own work; an `access.denied` event says so. NotFound. Conflict: over, or approved by them already.
        """
        found = self.change(change)
        action = f"change.approve:{found.kind}"
        if found.emergency and by == found.author:
            self.require(by, f"change.propose:{found.kind}")
        else:
            why = changes.own_work(found, by)
            if why:
                self.deny("" if by == LOCAL else by, action, why)
                raise Forbidden(f"`{by}` may not approve {change}: {why}.", "Let another person with the role approve it.")
            self.require(by, action)
        with self._units.write() as unit:
            return changes.approve(unit, change, by, digest)

    def reject(self, change: str, by: str, why: str = "") -> Change:
        """End a change without effect: its author, or who may approve it.

        Raises:
            Forbidden, NotFound: as `require`. Conflict: over.
        """
        found = self.change(change)
        if by != found.author:
            self.require(by, f"change.approve:{found.kind}")
        with self._units.write() as unit:
            return changes.reject(unit, change, by, why or ("withdrawn" if by == found.author else "rejected"))

    def activate(self, change: str, by: str) -> Change:
        """Put an approved change into force.

        Raises:
            Forbidden, NotFound: as `require`. Conflict: not approved, over, stale, or naming what is not in force.
        """
        self.require(by, f"change.activate:{self.change(change).kind}")
        with self._units.write() as unit:
            done = activation.activate(unit, change, by)
            self._settle(unit)
            return done

    def change(self, change: str) -> Change:
        """One change.

        Raises:
            NotFound: no such change.
        """
        with self._units.read() as store:
            found = store.change(change)
        if found is None:
            raise NotFound(f"There is no change `{change}`.", "See `change list`.")
        return found

    def changes(self, state: str = "", limit: int = 1000) -> list[Change]:
        """Changes, newest first; of one state (proposed, approved, activated, rejected) if given."""
        with self._units.read() as store:
            return store.changes(state, limit)

    def records(self, kind: str = "") -> list[Governed]:
        """Governed records in force, of one kind if given."""
        with self._units.read() as store:
            return store.all_governed(kind)

    def record(self, kind: str, record: str) -> Governed:
        """One governed record in force.

        Raises:
            NotFound: no such record.
        """
        with self._units.read() as store:
            found = store.governed(kind, record)
        if found is None:
            raise NotFound(f"There is no {kind} `{record}` in force.", "It may be proposed: see `change list`.")
        return found

    @property
    def bootstrapped(self) -> bool:
        """Whether the first apply has been done."""
        with self._units.read() as store:
            return bool(store.counter(BOOTSTRAPPED))

    def apply(self, raw: Any, author: str, dry_run: bool = False, name: str = "The file") -> ApplyResult:
        """Bring records to what a parsed file declares; see `apply`.

        Raises:
            FaultyInput: every fault; nothing was changed. Forbidden: something that the author may not propose.
        """
        if self.bootstrapped:
            self.require(author, "apply")
        faults = Faults(name)
        document = read_document(raw, faults, self._resolve, self._judge)
        rights = {action: author == LOCAL or self._known_may(author, action) for action in roles.MATRIX}
        with self._units.write() as unit:
            work = Apply(unit, document, author, lambda action: rights[action], built_in_policies(), faults)
            work.check()
            faults.stop()
            planned = work.plan()
            forbidden = work.forbidden(planned)
            if not forbidden:
                if dry_run:
                    return ApplyResult(work.bootstrap, True, tuple(planned))
                return work.carry_out(planned)
        self.require(author, forbidden[0])
        raise Forbidden(f"`{author}` may not do `{forbidden[0]}`.", "Let somebody with the role apply the file.")

    def _known_may(self, author: str, action: str) -> bool:
        with self._units.read() as store:
            person = store.person(author)
        return person is not None and person.active and roles.may(person.roles, action)

    # -- usage, controls, tenants, snapshot

    def import_usage(self, data: bytes, by: str, name: str = "The file") -> UsageResult:
        """Record a provider's own count.

        Raises:
            FaultyInput: every bad row; nothing was recorded. Forbidden, NotFound: as `require`.
        """
        self.require(by, "usage.import")
        file = usage.read_usage(data, name)
        with self._units.write() as unit:
            return usage.import_usage(unit, file, by, Faults(name))

    def adopt_controls(self, controls: Iterable[tuple[str, int, str, list[dict[str, Any]]]], by: str = "") -> tuple[str, ...]:
        """Put control versions into force: writes `control.adopted` for each that is new or changed; their ids.

        Args:
            controls: (id, version, hex SHA-256 of the canonical bytes, schedule).
            by: who does it; "" for those that come with a new home.

        Raises:
            Forbidden, NotFound: as `require`, if `by` is given.
        """
        wanted = list(controls)
        if by:
            self.require(by, "control.adopt")
        with self._units.write() as unit:
            return adopt(unit, wanted, actor_of(by) if by else SHIPPED)

    def adopted_controls(self) -> list[Adopted]:
        """Control versions in force."""
        with self._units.read() as store:
            return store.controls()

    def ensure_tenant_keys(self) -> int:
        """Make the missing tenant-month keys of this month and the next; how many. New ones come with a new epoch."""
        with self._units.read() as store:
            if not tenants.missing(store, self.clock.now_us()):
                return 0
        with self._units.write() as unit:
            made = tenants.ensure_keys(unit)
            if made:
                unit.new_epoch()
        return made

    def tenant_key(self, tenant: str, month: int) -> bytes:
        """The clear key of a tenant's month (yyyymm).

        Raises:
            NotFound: never made, or destroyed.
        """
        with self._units.read() as store:
            found = store.tenant_key(tenant, month)
        if found is None or found[1]:
            raise NotFound(
                f"The key of {tenant} for {month} is {'destroyed' if found else 'not there'}.", "Its commitments cannot be opened."
            )
        return tenants.open_key(self._keyring.master, tenant, month, found[0])

    def destroy_tenant_key(self, tenant: str, month: int, by: str) -> None:
        """Destroy a tenant-month key: its commitments stay closed for ever.

        Raises:
            Forbidden: as `require`. NotFound: none to destroy.
        """
        self.require(by, "tenant.destroy")
        with self._units.write() as unit:
            if not unit.store.destroy_tenant_key(tenant, month, unit.now_us):
                raise NotFound(f"There is no key of {tenant} for {month}.", "It may be destroyed already.")
            unit.emit(Draft("tenant_key.destroyed", {"month": month, "by": by}, ref=f"{tenant}/{month}", tenant=tenant, actor=actor_of(by)))
            unit.new_epoch()
        self._units.database.forget_pages("tenant_keys")

    @property
    def epoch(self) -> int:
        """The newest snapshot epoch."""
        with self._units.read() as store:
            return store.counter("epoch")

    def compile(self) -> Snapshot:
        """The snapshot of what is in force now, with the keys of this month made if they were missing."""
        self.ensure_tenant_keys()
        with self._units.read() as store:
            return compile_snapshot(
                store, self._keyring.master, self.home.node, self.home.origin, self.clock.now_us(), STALE_OK_MS
            )  # fmt: skip

    def outbox_size(self) -> int:
        """Events of committed changes that are not in the ledger yet; where nodes share records, that no signed head covers yet."""
        return self._units.waiting()
