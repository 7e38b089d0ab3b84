"""Every route of the table, in turn: anonymous, wrong role, not theirs, valid; generated from the table itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_world import ROLES, World, world

from affiant.api import ROUTES
from affiant.api.model import PUBLIC, SIGNED_IN, RouteSpec
from affiant.ledger import Draft
from affiant.records.roles import who_may

GUARDED = [spec for spec in ROUTES if spec.action != PUBLIC]
MODEL = {"provider": "sim", "upstream": "two", "version": "2"}
CSV = b"provider,account,day,requests\nsim,main,20251230,1\n"
PERIOD = "2025-12-01..2025-12-31"
Wanted = dict[tuple[str, str], tuple[str, Any, str, str]]

# (method, path) -> who, body, path with its parameters filled in, media; {change}, {approved} and {exchange} are made fresh.
VALID: Wanted = {
    ("POST", "/sign-out"): ("the-auditor", {}, "/sign-out", ""),
    ("GET", "/me"): ("the-consumer", None, "/me", ""),
    ("GET", "/people"): ("the-auditor", None, "/people", ""),
    ("GET", "/people/{person}"): ("the-auditor", None, "/people/the-admin", ""),
    ("POST", "/people/{person}/link"): ("the-admin", {}, "/people/the-privacy/link", ""),
    ("POST", "/people/{person}/password"): ("the-privacy", {"password": "a long enough one"}, "/people/the-privacy/password", ""),
    ("POST", "/people/{person}/leave"): ("the-compliance", {}, "/people/the-reviewer/leave", ""),
    ("GET", "/people/{person}/contact"): ("the-privacy", None, "/people/the-auditor/contact", ""),
    ("POST", "/people/{person}/contact"): ("the-consumer", {"contact": "me@example.org"}, "/people/the-consumer/contact", ""),
    ("POST", "/subjects/{subject:path}/forget"): ("the-privacy", {"why": "asked for"}, "/subjects/person/the-auditor/forget", ""),
    ("POST", "/erasures/reapply"): ("the-privacy", {}, "/erasures/reapply", ""),
    ("GET", "/holds"): ("the-auditor", None, "/holds", ""),
    ("POST", "/holds"): ("the-compliance", {"scope": "all", "why": "a court"}, "/holds", ""),
    ("POST", "/holds/{hold}/release"): ("the-privacy", {"why": "over"}, "/holds/lh_1/release", ""),
    ("POST", "/ledger/prune"): ("the-compliance", {"before": 1, "dry_run": True}, "/ledger/prune", ""),
    ("GET", "/keys"): ("the-consumer", None, "/keys", ""),
    ("POST", "/keys"): ("the-operator", {"models": ["m1"]}, "/keys", ""),
    ("GET", "/keys/{key}"): ("the-consumer", None, "/keys/k-mine", ""),
    ("POST", "/keys/{key}/revoke"): ("the-consumer", {"why": "lost"}, "/keys/k-mine/revoke", ""),
    ("POST", "/keys/{key}/rotate"): ("the-operator", {}, "/keys/k-mine/rotate", ""),
    ("GET", "/changes"): ("the-auditor", None, "/changes?state=activated&limit=3", ""),
    ("POST", "/changes"): ("the-developer", {"kind": "model", "target": "m2", "content": MODEL}, "/changes", ""),
    ("GET", "/changes/{change}"): ("the-auditor", None, "/changes/{change}", ""),
    ("POST", "/changes/{change}/approve"): ("the-reviewer", {}, "/changes/{change}/approve", ""),
    ("POST", "/changes/{change}/activate"): ("the-developer", {}, "/changes/{approved}/activate", ""),
    ("POST", "/changes/{change}/reject"): ("the-compliance", {"why": "no"}, "/changes/{change}/reject", ""),
    ("GET", "/records"): ("the-auditor", None, "/records?kind=model", ""),
    ("GET", "/records/{kind}/{record:path}"): ("the-auditor", None, "/records/model/m1", ""),
    ("POST", "/apply"): ("the-developer", b"models: []", "/apply?dry_run=1", "application/yaml"),
    ("POST", "/usage"): ("the-operator", CSV, "/usage?name=u.csv", "text/csv"),
    ("GET", "/status"): ("the-consumer", None, "/status", ""),
    ("GET", "/ledger"): ("the-auditor", None, "/ledger", ""),
    ("GET", "/ledger/entries/{index}"): ("the-auditor", None, "/ledger/entries/0", ""),
    ("GET", "/ledger/entries/{index}/proof"): ("the-auditor", None, "/ledger/entries/0/proof", ""),
    ("GET", "/exchanges"): ("the-consumer", None, "/exchanges?limit=5", ""),
    ("GET", "/exchanges/{exchange}"): ("the-consumer", None, "/exchanges/xc_mine", ""),
    ("POST", "/exchanges/{exchange}/appeal"): ("the-consumer", {"why": "that was a quote"}, "/exchanges/xc_mine/appeal", ""),
    ("GET", "/appeals"): ("the-consumer", None, "/appeals", ""),
    ("POST", "/appeals/{appeal}/decide"): ("the-privacy", {"outcome": "upheld", "why": "a quote"}, "/appeals/ap_1/decide", ""),
    ("GET", "/controls"): ("the-auditor", None, "/controls", ""),
    ("GET", "/controls/{control}"): ("the-auditor", None, "/controls/PI-5.1", ""),
    ("POST", "/controls/run"): ("the-operator", {"period": PERIOD, "controls": ["PI-5.1"]}, "/controls/run", ""),
    ("POST", "/controls/adopt"): ("the-compliance", {"controls": ["PI-5.1"]}, "/controls/adopt", ""),
    ("GET", "/populations"): ("the-auditor", None, "/populations?control=PI-5.1", ""),
    ("GET", "/populations/{freeze}"): ("the-auditor", None, "/populations/frz_1", ""),
    ("POST", "/affidavits"): ("the-auditor", {"period": PERIOD}, "/affidavits", ""),
}
BLOCKED = [{"guard": "injection", "control": "SEC-3.1", "action": "block", "enforced": 1, "found": 1, "acted": 1}]
# What a consumer must not see or touch though the route lets consumers in.
NOT_THEIRS = {
    ("GET", "/keys/{key}"): "/keys/k-other",
    ("POST", "/keys/{key}/revoke"): "/keys/k-other/revoke",
    ("GET", "/exchanges/{exchange}"): "/exchanges/xc_other",
    ("POST", "/exchanges/{exchange}/appeal"): "/exchanges/xc_other/appeal",
    ("POST", "/people/{person}/password"): "/people/the-admin/password",
    ("GET", "/people/{person}/contact"): "/people/the-auditor/contact",
    ("POST", "/people/{person}/contact"): "/people/the-auditor/contact",
}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all read-only attempts."""
    with world(tmp_path_factory.mktemp("api")) as made:
        _fill(made)
        yield made


def _fill(made: World) -> None:
    """Put exchanges of two tenants, a control, and a frozen population into the ledger."""
    made.records.adopt_controls([("PI-5.1", 1, "a" * 64, [])])
    with made.records._units.write() as unit:
        for name, tenant in (("mine", "acme"), ("other", "belmont")):
            unit.emit(
                Draft(
                    "exchange.refused",
                    {"key": f"k-{name}", "route": "m1", "decisions": BLOCKED},
                    ref=f"xc_{name}",
                    tenant=tenant,
                    actor=f"key:k-{name}",
                )
            )
        unit.emit(Draft("population.frozen", {"control": "PI-5.1", "population": "changes", "rows": 1}, ref="frz_1"))
        unit.emit(Draft("sample.drawn", {"freeze": "frz_1", "n": 1}, ref="smp_1"))
        unit.store.put_appeal("ap_1", "xc_gone", "a quote", "the-developer", 1)
        unit.store.put_hold("lh_1", "person/nobody", "a court", "the-compliance", 1)
    made.records.sealed.set_contact("the-auditor", "auditor@example.org", "the-admin")
    made.settle()


def _name(spec: RouteSpec) -> str:
    return f"{spec.method} {spec.path}"


def _path(spec: RouteSpec) -> str:
    return VALID[(spec.method, spec.path)][2].format(change="chg_x", approved="chg_x")


def test_every_guarded_route_has_a_valid_call() -> None:
    """The table and these tests name the same routes."""
    assert {(spec.method, spec.path) for spec in GUARDED} == set(VALID)


@pytest.mark.parametrize("spec", GUARDED, ids=_name)
def test_anonymous_is_refused(w: World, spec: RouteSpec) -> None:
    """Without a credential, or with a wrong one, every route answers 401 and changes nothing."""
    body = VALID[(spec.method, spec.path)][1]
    for headers in ({}, {"cookie": "affiant_session=guess"}, {"authorization": "Bearer guess"}, {"authorization": "Bearer local-token"}):
        reply = w.call(spec.method, _path(spec), body, headers, media=VALID[(spec.method, spec.path)][3])
        assert (reply.status, reply.code) == (401, "unauthenticated")
        assert reply.json["error"]["next_step"]


@pytest.mark.parametrize("spec", [spec for spec in GUARDED if spec.action != SIGNED_IN], ids=_name)
def test_a_wrong_role_is_refused_and_recorded(w: World, spec: RouteSpec) -> None:
    """Each role that the matrix does not name gets 403, and an access.denied event names person and action."""
    for role in ROLES:
        if role in who_may(spec.action):
            continue
        headers = w.sign_in(f"the-{role}")
        reply = w.call(spec.method, _path(spec), VALID[(spec.method, spec.path)][1], headers, media=VALID[(spec.method, spec.path)][3])
        assert (reply.status, reply.code) == (403, "forbidden"), role
        w.settle()
        denied = w.context.reader.event(w.context.reader.size - 1)
        assert (denied.type, denied.body["person"], denied.body["action"]) == ("access.denied", f"the-{role}", spec.action)


@pytest.mark.parametrize("spec", [spec for spec in GUARDED if spec.method == "POST"], ids=_name)
def test_a_cookie_alone_changes_nothing(w: World, spec: RouteSpec) -> None:
    """A mutation with a session but without its CSRF token, or with another session's, is refused."""
    who, body, _, media = VALID[(spec.method, spec.path)]
    mine, other = w.sign_in(who), w.sign_in("the-auditor")
    for headers in ({"cookie": mine["cookie"]}, {"cookie": mine["cookie"], "x-affiant-csrf": other["x-affiant-csrf"]}):
        reply = w.call(spec.method, _path(spec), body, headers, media=media)
        assert (reply.status, reply.code) == (403, "forbidden")
        assert "x-affiant-csrf" in reply.json["error"]["message"]


@pytest.mark.parametrize("route", NOT_THEIRS, ids=" ".join)
def test_what_belongs_to_somebody_else_stays_closed(w: World, route: tuple[str, str]) -> None:
    """A consumer gets 404 for the key or exchange of another tenant, and 403 for another person's password or address."""
    body = VALID[route][1]
    reply = w.call(route[0], NOT_THEIRS[route], body, w.sign_in("the-consumer"))
    assert reply.status == (403 if "/people/" in route[1] else 404)


def test_lists_hold_only_what_belongs_to_a_consumer(w: World) -> None:
    """Lists of keys and exchanges leave out other tenants' rows for a consumer, and hold all for staff."""
    mine, staff = w.sign_in("the-consumer"), w.sign_in("the-auditor")
    assert {key["id"] for key in w.call("GET", "/keys", headers=mine).json["keys"]} == {"k-mine"}
    assert [each["id"] for each in w.call("GET", "/exchanges", headers=mine).json["exchanges"]] == ["xc_mine"]
    assert {key["id"] for key in w.call("GET", "/keys", headers=staff).json["keys"]} == {"k-mine", "k-other"}
    assert [each["id"] for each in w.call("GET", "/exchanges?tenant=belmont", headers=staff).json["exchanges"]] == ["xc_other"]
    assert w.call("GET", "/keys?owner=other-consumer", headers=mine).json["keys"][0]["id"] == "k-mine"


@pytest.mark.parametrize("spec", GUARDED, ids=_name)
def test_a_valid_call_is_answered(tmp_path: Path, spec: RouteSpec) -> None:
    """With the right person each route does its work, over a session and over the local credential acting for that person."""
    who, body, path, media = VALID[(spec.method, spec.path)]
    for way in ("session", "local"):
        if way == "local" and spec.path == "/sign-out":
            continue
        with world(tmp_path / way) as w:
            _fill(w)
            change = w.records.propose("model", "m9", MODEL, "the-developer").id
            approved = w.records.propose("model", "m8", MODEL, "the-developer").id
            w.records.approve(approved, "the-compliance")
            target = path.format(change=change, approved=approved)
            headers = w.sign_in(who)
            if way == "session":
                reply = w.call(spec.method, target, body, headers, media=media)
            else:
                reply = w.as_local(spec.method, target, body, who, media)
            assert reply.status == 200, reply.data
            if spec.gives == "application/json":
                assert isinstance(reply.json, dict)
            assert ("cache-control", "no-store") in reply.headers


@pytest.mark.parametrize("spec", [spec for spec in ROUTES if spec.body is not None and spec.method == "POST"], ids=_name)
def test_a_bad_body_is_refused_with_its_faults(w: World, spec: RouteSpec) -> None:
    """Unknown fields, wrong types, lists, broken JSON and another media type get 400 in words, never 500."""
    who = VALID[(spec.method, spec.path)][0] if spec.action != PUBLIC else ""
    path = _path(spec) if who else spec.path
    headers = w.sign_in(who) if who else {}
    wrong = {name: [] if field.type != "array" else "x" for name, field in (spec.body or {}).items()} | {"unknown": 1}
    reply = w.call("POST", path, wrong, headers)
    assert (reply.status, reply.code) == (400, "bad_input")
    assert {fault["path"] for fault in reply.json["error"]["faults"]} == {*(spec.body or {}), "unknown"}
    for body, media in ((b"[1]", ""), (b"{", ""), (b"\xff", ""), (b"[" * 100_000, ""), (b"a=1", "application/x-www-form-urlencoded")):
        assert w.call("POST", path, body, headers, media=media).status == 400


def test_the_document_describes_every_route(w: World) -> None:
    """openapi.json lists each route with who may call it, its parameters and its fields, under unique names."""
    document = w.call("GET", "/openapi.json").json
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(spec.method, re.sub(r":\w+\}", "}", spec.path)) for spec in ROUTES}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith(".") and operation["description"] for operation in operations)
    assert json.dumps(document)
