"""Apply: a declarative file becomes planned changes, and never a way round approval.

The first apply after init is the bootstrap: there is nobody yet who could approve, so its changes are activated at once and
marked. Every later one only proposes; another person approves. A file that says what is in force changes nothing. What the
file does not mention stays: a removal is a change of its own. Keys are no governed records: they are made at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from affiant.records import changes, keys, roles
from affiant.records.activate import activate
from affiant.records.content import digest_of
from affiant.records.document import Document, Item, KeyItem
from affiant.records.faults import Faults
from affiant.records.model import KINDS, LOCAL, ApplyResult, Content, NewKey, Planned
from affiant.records.references import State, reference_faults, scope_faults
from affiant.records.unit import Unit

BOOTSTRAPPED = "bootstrapped"
_AFTER_KEYS = ("limit", "commitment", "protected")
May = Callable[[str], bool]


class Apply:
    """One apply inside one transaction.

    Args:
        unit: the open transaction.
        document: the file; it may have faults of its own, which are in `faults`: then only `check` may be called.
        author: person id, or the local credential.
        may: whether the author may do an action; not asked in the bootstrap, whose author has nobody above.
        built_in: policies to put into force first in the bootstrap.
        faults: where names that lead nowhere are noted.
    """

    def __init__(self, unit: Unit, document: Document, author: str, may: May, built_in: dict[str, Content], faults: Faults) -> None:
        self.unit, self.author, self.may, self.faults = unit, author, may, faults
        self.bootstrap = not unit.store.counter(BOOTSTRAPPED)
        self.items = sorted(document.items, key=lambda item: KINDS.index(item.kind))
        self.key_items = document.keys
        if self.bootstrap:
            named = {item.id for item in self.items if item.kind == "policy"}
            seeds = [Item(f"built in: {name}", "policy", name, content, "") for name, content in built_in.items() if name not in named]
            self.items = sorted([*seeds, *self.items], key=lambda item: KINDS.index(item.kind))
        self.now: State = unit.store.state()
        self.items = [self._keep_approval(item) for item in self.items]
        self.then: State = self.now | {(item.kind, item.id): item.content for item in self.items}

    def _keep_approval(self, item: Item) -> Item:
        """A model that the file names without `approved_by` keeps the approval that its very version has."""
        now = self.now.get((item.kind, item.id))
        if item.kind == "model" and now is not None and now["approved"] and now == item.content | {"approved": 1}:
            return replace(item, content=now)
        return item

    def check(self) -> None:
        """Note every name that leads nowhere and everybody who is named but cannot do their part."""
        people = {person.id: person.roles for person in self.unit.store.people() if person.active}
        coming = {item.id: tuple(item.content.get("roles", ())) for item in self.items if item.kind == "person"}
        known = people | coming
        if self.author != LOCAL and self.author not in (known if self.bootstrap else people):
            self.faults.add("author", f"`{self.author}` is no person" + (" in this first file." if self.bootstrap else "."))
        key_ids = {key.id for key in self.unit.store.all_keys()} | {key.id for key in self.key_items}
        for item in self.items:
            for field, text in reference_faults(item.kind, item.content, self.then, key_ids):
                self.faults.add(f"{item.path}.{field}", text)
            if item.awaits and self._action(item) not in ("unchanged", "pending"):
                self._check_approver(item, known)
        for key in self.key_items:
            self._check_key(key, known)

    def _check_approver(self, item: Item, known: dict[str, tuple[str, ...]]) -> None:
        where = f"{item.path}.approved_by"
        if item.awaits not in known:
            self.faults.add(where, f"`{item.awaits}` is no known person.")
        elif self.bootstrap:
            return
        elif item.awaits == self.author:
            self.faults.add(where, "must be another person than the author of the change.")
        elif not roles.may(known[item.awaits], f"change.approve:{item.kind}"):
            allowed = ", ".join(roles.who_may(f"change.approve:{item.kind}"))
            self.faults.add(where, f"`{item.awaits}` may not approve a {item.kind}; roles that may: {allowed}.")

    def _check_key(self, key: KeyItem, known: dict[str, tuple[str, ...]]) -> None:
        found = self.unit.store.key(key.id)
        if found is not None:
            if (found.owner, found.tenant, found.scope) != (key.owner, key.tenant, key.scope):
                self.faults.add(key.path, f"the key `{key.id}` exists with another owner, tenant or models; make one with another id.")
            return
        if key.owner and key.owner not in known:
            self.faults.add(f"{key.path}.owner", f"`{key.owner}` is no known person.")
        for number, text in scope_faults(key.scope, self.then):
            self.faults.add(f"{key.path}.models[{number}]", text)

    def _action(self, item: Item) -> str:
        now = self.now.get((item.kind, item.id))
        before, digest = (digest_of(now) if now is not None else ""), digest_of(item.content)
        if before == digest:
            return "unchanged"
        if self.unit.store.open_change(item.kind, item.id, digest, before) is not None:
            return "pending"
        return "update" if before else "create"

    def plan(self) -> list[Planned]:
        """What would be done, in order: keys stand after routes, which they name, and before limits, which name them."""
        first = [self._plan_item(item) for item in self.items if item.kind not in _AFTER_KEYS]
        last = [self._plan_item(item) for item in self.items if item.kind in _AFTER_KEYS]
        return [*first, *(self._plan_key(key) for key in self.key_items), *last]

    def _plan_item(self, item: Item) -> Planned:
        now = self.now.get((item.kind, item.id))
        before, digest, action = (digest_of(now) if now is not None else ""), digest_of(item.content), self._action(item)
        twin = self.unit.store.open_change(item.kind, item.id, digest, before) if action == "pending" else None
        return Planned(
            item.kind, item.id, action, before, digest, twin.id if twin else "", twin.state if twin else "",
            twin.awaits if twin else (item.awaits if action != "unchanged" and not self.bootstrap else ""),
        )  # fmt: skip

    def _plan_key(self, key: KeyItem) -> Planned:
        found = self.unit.store.key(key.id)
        if found is not None:
            return Planned("key", key.id, "unchanged", note="" if found.state == "live" else found.state)
        owner = self.unit.store.person(key.owner)
        if not self.bootstrap and (owner is None or not owner.active):
            return Planned("key", key.id, "waits", note=f"its owner {key.owner} is not in force yet; apply again then")
        return Planned("key", key.id, "create")

    def forbidden(self, planned: list[Planned]) -> list[str]:
        """Actions in the plan that the author may not do."""
        if self.bootstrap:
            return []
        actions = {
            "key.create" if each.kind == "key" else f"change.propose:{each.kind}" for each in planned if each.action in ("create", "update")
        }
        return sorted(action for action in actions if not self.may(action))

    def carry_out(self, planned: list[Planned]) -> ApplyResult:
        """Do what was planned."""
        items = {(item.kind, item.id): item for item in self.items}
        done: list[Planned] = []
        secrets: list[NewKey] = []
        for each in planned:
            if each.action not in ("create", "update"):
                done.append(each)
            elif each.kind == "key":
                made = self._make_key(next(key for key in self.key_items if key.id == each.target))
                secrets.append(made)
                done.append(replace(each, state="activated"))
            else:
                done.append(self._carry_item(each, items[(each.kind, each.target)]))
        if self.bootstrap:
            self.unit.store.set_counter(BOOTSTRAPPED, 1)
        return ApplyResult(self.bootstrap, False, tuple(done), tuple(secrets))

    def _carry_item(self, planned: Planned, item: Item) -> Planned:
        change = changes.propose(
            self.unit, item.kind, item.id, item.content, self.author, item.awaits, reason="first apply" if self.bootstrap else "",
            bootstrap=self.bootstrap,
        )  # fmt: skip
        if self.bootstrap:
            change = activate(self.unit, change.id, self.author)
        return replace(planned, change=change.id, state=change.state)

    def _make_key(self, key: KeyItem) -> NewKey:
        return keys.create(self.unit, key.owner, key.tenant, key.scope, 0, self.author, key.id)
