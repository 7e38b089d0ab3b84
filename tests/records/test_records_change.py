"""Propose, approve, activate, and every way in which one of these is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from records_world import COMPANY, World, world

from affiant.kit.errors import BadInput, Conflict, Forbidden, NotFound
from affiant.records import FaultyInput, parse_yaml
from affiant.records.roles import MATRIX, ROLES, may

MODEL = {"provider": "sim", "upstream": "two", "version": "2"}


def test_a_change_takes_another_person_and_then_activation(tmp_path: Path) -> None:
    """A proposed model serves only after somebody else approved it and it was activated, each step an event."""
    with world(tmp_path) as w:
        change = w.records.propose("model", "m2", MODEL | {"approved_by": "bo"}, "cy")
        assert change.awaits == "bo"
        assert "m2" not in {model.id for model in w.records.compile().models}
        w.records.approve(change.id, "bo", change.digest)
        done = w.records.activate(change.id, "cy")
        assert done.state == "activated"
        assert next(model for model in w.records.compile().models if model.id == "m2").approved == 1
        types = [event.type for event in w.events() if event.ref in (change.id, "m2")]
        assert types == ["change.proposed", "change.approved", "change.activated", "model.approved", "route.set"]
        approved = w.events("model.approved")[-1].body
        assert (approved["approved_by"], approved["author"]) == ("bo", "cy")


def test_nobody_approves_their_own_work(tmp_path: Path) -> None:
    """The author's approval is refused and recorded, even where their role could approve somebody else's."""
    with world(tmp_path) as w:
        change = w.records.propose("model", "m2", MODEL, "bo")
        with pytest.raises(Forbidden, match="its author"):
            w.records.approve(change.id, "bo")
        assert w.events("access.denied")[-1].body == {
            "action": "change.approve:model", "person": "bo", "why": "its author does not approve it",
        }  # fmt: skip
        with pytest.raises(Conflict, match="no approval"):
            w.records.activate(change.id, "bo")


def test_an_emergency_lets_the_author_approve_and_says_so(tmp_path: Path) -> None:
    """Under an emergency mark the author's own approval counts, with the mark and both names in the events."""
    with world(tmp_path) as w:
        with pytest.raises(BadInput, match="reason"):
            w.records.propose("model", "m2", MODEL, "cy", emergency=True)
        change = w.records.propose("model", "m2", MODEL, "cy", emergency=True, reason="outage")
        w.records.approve(change.id, "cy")
        w.records.activate(change.id, "cy")
        approved, activated = w.events("change.approved")[-1].body, w.events("change.activated")[-1].body
        assert approved["by"] == approved["author"] == "cy"
        assert (activated["emergency"], activated["bootstrap"]) == (1, 0)


def test_nobody_approves_their_own_roles(tmp_path: Path) -> None:
    """A change of a person's roles is not theirs to approve, whoever proposed it."""
    with world(tmp_path) as w:
        change = w.records.propose("person", "ida", {"roles": ["compliance", "privacy"]}, "ann")
        with pytest.raises(Forbidden, match="own roles"):
            w.records.approve(change.id, "ida")
        w.records.approve(change.id, "bo")


def test_approval_is_bound_to_the_content_that_was_seen(tmp_path: Path) -> None:
    """An approver who looked at another digest approves nothing."""
    with world(tmp_path) as w:
        change = w.records.propose("model", "m2", MODEL, "cy")
        with pytest.raises(Conflict, match="not what you looked at"):
            w.records.approve(change.id, "bo", "0" * 64)
        assert w.records.change(change.id).state == "proposed"


def test_content_altered_in_the_database_is_not_activated(tmp_path: Path) -> None:
    """Content that no longer has the approved digest is refused."""
    with world(tmp_path) as w:
        change = w.records.propose("model", "m2", MODEL, "cy")
        w.records.approve(change.id, "bo")
        with w.records._units.database.transaction() as connection:
            connection.execute("UPDATE changes SET content = replace(content, 'two', 'evil') WHERE id = ?", (change.id,))
        with pytest.raises(Conflict, match="not what was approved"):
            w.records.activate(change.id, "cy")


def test_a_stale_base_is_refused(tmp_path: Path) -> None:
    """Of two changes to one record the second must be proposed again once the first is in force."""
    with world(tmp_path) as w:
        one = w.records.propose("model", "m1", MODEL | {"version": "2", "approved_by": "bo"}, "cy")
        two = w.records.propose("model", "m1", MODEL | {"version": "3", "approved_by": "bo"}, "cy")
        for change in (one, two):
            w.records.approve(change.id, "bo")
        w.records.activate(one.id, "cy")
        with pytest.raises(Conflict, match="has changed since"):
            w.records.activate(two.id, "cy")


def test_what_is_over_cannot_be_done_again(tmp_path: Path) -> None:
    """Approving twice, activating twice, approving what was rejected: each is a conflict."""
    with world(tmp_path) as w:
        change = w.records.propose("model", "m2", MODEL, "cy")
        with pytest.raises(Conflict, match="open"):
            w.records.propose("model", "m2", MODEL, "cy")
        w.records.approve(change.id, "bo")
        with pytest.raises(Conflict, match="already"):
            w.records.approve(change.id, "bo")
        w.records.activate(change.id, "cy")
        with pytest.raises(Conflict, match="activated"):
            w.records.activate(change.id, "cy")
        other = w.records.propose("model", "m3", MODEL, "cy")
        assert w.records.reject(other.id, "cy").state == "rejected"
        assert w.events("change.rejected")[-1].body == {"by": "cy", "why": "withdrawn"}
        with pytest.raises(Conflict, match="rejected"):
            w.records.approve(other.id, "bo")
        with pytest.raises(Conflict, match="already"):
            w.records.propose("model", "m2", MODEL, "cy")
        with pytest.raises(NotFound):
            w.records.approve("chg_none", "bo")


def test_references_are_checked_at_activation(tmp_path: Path) -> None:
    """A route to a model that is not in force waits for the model; a provider in use is not removed."""
    with world(tmp_path) as w:
        route = w.records.propose("route", "r2", {"models": ["m2"]}, "cy")
        w.records.approve(route.id, "bo")
        with pytest.raises(Conflict, match="m2"):
            w.records.activate(route.id, "cy")
        gone = w.records.propose("provider", "sim", None, "cy")
        w.records.approve(gone.id, "bo")
        with pytest.raises(Conflict, match="in use by model m1"):
            w.records.activate(gone.id, "cy")


def test_a_withdrawn_model_leaves_the_snapshot_and_its_implicit_route(tmp_path: Path) -> None:
    """Removing a model writes model.withdrawn and route.removed, and workers no longer see either."""
    with world(tmp_path) as w:
        w.in_force("model", "m1", None)
        assert [event.type for event in w.events()][-2:] == ["model.withdrawn", "route.removed"]
        snapshot = w.records.compile()
        assert not snapshot.models
        assert [route.id for route in snapshot.routes] == ["chat"]


def test_a_route_is_strict_where_it_says_so_and_a_provider_speaks_its_format(tmp_path: Path) -> None:
    """Both reach the workers and the ledger; a route that says nothing has the content that it always had."""
    with world(tmp_path) as w:
        w.in_force("route", "chat", {"models": ["m1"], "tenant": "acme", "strict": 1})
        url = {"base_url": "http://127.0.0.1:9/v1", "secret_ref": "env:SIM", "network": "private"}
        w.in_force("provider", "bay", {"kind": "anthropic", **url})
        snapshot = w.records.compile()
        assert {route.id: route.strict for route in snapshot.routes} == {"chat": 1, "m1": 0}
        assert {provider.id: provider.kind for provider in snapshot.providers} == {"sim": "openai", "bay": "anthropic"}
        assert [event.body.get("strict") for event in w.events("route.set") if event.ref == "chat"][-1] == 1
        w.in_force("route", "chat", {"models": ["m1"], "tenant": "acme", "strict": 0})
        assert "strict" not in w.records.record("route", "chat").content and "strict" not in w.events("route.set")[-1].body


def test_a_changed_policy_repeats_its_routes_with_the_new_digest(tmp_path: Path) -> None:
    """Each route that follows a policy says in its event which digest of it is in force and what that redacts."""
    with world(tmp_path) as w:
        raw = {"guards": {"pii": {"action": "redact", "types": {"EMAIL": "flag"}}}}
        w.in_force("policy", "default", raw, by="fay")
        digest = w.events("policy.set")[-1].body["digest"]
        routes = [event for event in w.events("route.set") if event.body["policy_digest"] == digest]
        assert {event.ref for event in routes} == {"chat", "m1"}
        for event in routes:  # types that are common in ordinary work are left alone until a policy names them
            assert {"CREDIT_CARD", "PHONE", "US_SSN", "IBAN"} <= set(event.body["redacts"])
            assert not {"EMAIL", "PERSON", "URL"} & set(event.body["redacts"])
        assert w.events("change.activated")[-1].body["before"] != digest


def test_every_fault_of_a_proposal_is_named(tmp_path: Path) -> None:
    """A proposal with several faults names all of them and changes nothing."""
    with world(tmp_path) as w:
        before = len(w.events())
        with pytest.raises(FaultyInput) as caught:
            w.records.propose("route", "bad id", {"models": [], "mode": "off", "extra": 1}, "cy")
        assert {fault.path for fault in caught.value.faults} == {"route.models", "route.mode", "route.extra", "target"}
        with pytest.raises(BadInput, match="cannot be removed"):
            w.records.propose("policy", "default", None, "cy")
        with pytest.raises(BadInput, match="not a kind"):
            w.records.propose("wish", "x", {}, "cy")
        assert len(w.events()) == before


def _everyone() -> list[tuple[str, str]]:
    return [(person["id"], person["roles"][0]) for person in COMPANY["people"]]


@pytest.mark.parametrize(("person", "role"), _everyone())
def test_roles_decide_who_proposes_and_approves(tmp_path: Path, person: str, role: str) -> None:
    """For each role, proposing and approving a model is possible exactly where the matrix says so; a refusal is an event."""
    with world(tmp_path) as w:
        _tries(w, person, role)


def _tries(w: World, person: str, role: str) -> None:
    pending = w.records.propose("model", "m9", MODEL, "di")
    for action, attempt in (
        ("change.propose:model", lambda: w.records.propose("model", "m8", MODEL, person)),
        ("change.approve:model", lambda: w.records.approve(pending.id, person)),
    ):
        denied = len(w.events("access.denied"))
        if may((role,), action) and not (person == "di" and "approve" in action):
            attempt()
            assert len(w.events("access.denied")) == denied
        else:
            with pytest.raises(Forbidden):
                attempt()
            assert len(w.events("access.denied")) == denied + 1


def test_the_matrix_refuses_what_it_does_not_name() -> None:
    """An unknown action is refused to every role; an auditor changes nothing and an admin approves nothing."""
    assert not may(ROLES, "no.such.action")
    reading = {action for action in MATRIX if may(("auditor",), action)}
    assert all(action.endswith(".read") or action == "affidavit.build" for action in reading)
    assert not [action for action in MATRIX if action.startswith("change.approve:") and may(("admin",), action)]


def test_the_local_credential_alone_approves_nothing(tmp_path: Path) -> None:
    """Approval carries a person's name; without one the local credential is refused."""
    with world(tmp_path) as w:
        change = w.records.propose("model", "m2", MODEL, "local")
        with pytest.raises(Forbidden, match="its author"):
            w.records.approve(change.id, "local")
        other = w.records.propose("model", "m3", MODEL, "cy")
        with pytest.raises(Forbidden, match="Name the person"):
            w.records.approve(other.id, "local")


def test_a_record_can_be_proposed_again_as_it_is_kept(tmp_path: Path) -> None:
    """What a record's content reads like as YAML is accepted back and means the same."""
    with world(tmp_path) as w:
        w.in_force("limit", "", {"scope": "all", "unit": "requests", "window": "1m", "value": 5})
        w.in_force("commitment", "up", {"text": "We serve.", "threshold": "99.9 %"}, author="ann")
        kinds = set()
        for record in w.records.records():
            text = yaml.safe_dump(record.content)
            with pytest.raises(Conflict, match="has that content already"):
                w.records.propose(record.kind, record.id, parse_yaml(text, "content"), "ann")
            kinds.add(record.kind)
        assert kinds == {"person", "provider", "policy", "model", "route", "limit", "commitment"}


def test_who_is_named_to_confirm_must_be_able_to(tmp_path: Path) -> None:
    """A proposal waits for another person with the role, never for its author or an auditor."""
    with world(tmp_path) as w:
        for name, text in (("cy", "another person"), ("gus", "may not approve"), ("nobody", "may not approve")):
            with pytest.raises(BadInput, match=text):
                w.records.propose("model", "m2", MODEL | {"approved_by": name}, "cy")
        with pytest.raises(FaultyInput, match="e-mail"):
            w.records.propose("model", "m2", MODEL | {"approved_by": "a@b.example"}, "cy")


def test_a_model_can_be_registered_without_leave_to_serve(tmp_path: Path) -> None:
    """`approved: 0` registers a version; approving it later is a change of its own, and taking it back withdraws it."""
    with world(tmp_path) as w:
        w.in_force("model", "m2", MODEL | {"approved": 0})
        assert w.events("model.registered")[-1].ref == "m2"
        w.in_force("model", "m2", MODEL)
        assert w.events("model.approved")[-1].ref == "m2"
        entry = {"id": "m2"} | MODEL
        assert {each.action for each in w.records.apply({"models": [entry]}, "cy").planned} == {"unchanged"}
        w.in_force("model", "m2", MODEL | {"approved": "0"})
        assert [event.type for event in w.events() if event.ref == "m2"][-2:] == ["model.withdrawn", "model.registered"]
