"""Whole journeys through the API: first apply, sign-in, a key's life, limits on refusals, errors in words."""

from __future__ import annotations

from pathlib import Path

import yaml
from api_world import COMPANY, world

from affiant.ledger import LedgerReader, decode


def test_the_first_apply_comes_from_the_local_credential(tmp_path: Path) -> None:
    """Before there is anybody, the local credential applies the first file for its future author; afterwards names must exist."""
    with world(tmp_path, company=False) as w:
        text = yaml.safe_dump(COMPANY)
        assert w.as_local("GET", "/people", person="the-admin").status == 404
        reply = w.as_local("POST", "/apply", {"yaml": text, "name": "company.yaml"}, "the-admin")
        assert reply.status == 200
        assert reply.json["bootstrap"]
        assert {key["key_id"] for key in reply.json["keys"]} == {"k-mine", "k-other"}
        assert w.as_local("POST", "/apply", {"yaml": text}, "nobody").code == "not_found"
        again = w.as_local("POST", "/apply", {"document": COMPANY}).json
        assert (again["keys"], {each["action"] for each in again["planned"]}) == ([], {"unchanged"})
        bad = w.as_local("POST", "/apply", {"yaml": "people: [{id: a@b.example, roles: [x]}]", "name": "company.yaml"})
        assert {fault["path"] for fault in bad.json["error"]["faults"]} == {"people[0].id", "people[0].roles[0]"}


def test_signing_in_and_out(tmp_path: Path) -> None:
    """A link leads to a session whose CSRF token mutations repeat; after signing out the cookie opens nothing."""
    with world(tmp_path) as w:
        link = w.as_local("POST", "/people/the-operator/link").json
        assert link["url"] == f"http://127.0.0.1:8081/link/{link['token']}"
        reply = w.call("POST", "/sign-in/link", {"token": link["token"]})
        assert reply.status == 200
        raw = next(value for name, value in reply.headers if name == "set-cookie")
        assert "HttpOnly" in raw
        assert "SameSite=strict" in raw
        headers = {"cookie": f"affiant_session={reply.cookie('affiant_session')}", "x-affiant-csrf": reply.json["csrf"]}
        assert w.call("GET", "/me", headers=headers).json["person"] == "the-operator"
        assert w.call("POST", "/sign-in/link", {"token": link["token"]}).status == 403
        assert w.call("POST", "/people/the-operator/password", {"password": "a long enough one"}, headers).status == 200
        assert w.call("POST", "/sign-out", {}, headers).status == 200
        assert w.call("GET", "/me", headers=headers).status == 401
        assert w.call("POST", "/sign-in", {"person": "the-operator", "password": "a long enough one"}).status == 200
        assert w.call("POST", "/sign-in", {"person": "the-operator", "password": "another one entirely"}).status == 403


def test_a_key_for_probes_is_handed_on(tmp_path: Path) -> None:
    """A key made for probes is kept by whoever runs them; expiry is read from a date or an instant."""
    with world(tmp_path) as w:
        made = w.as_local("POST", "/keys", {"models": ["*"], "owner": "the-operator", "probes": True, "expires": "2026-01-31"}).json
        assert w.probe_keys[0].secret == made["secret"]
        assert made["expires_us"] == 1_769_904_000_000_000
        assert w.as_local("POST", "/keys", {"models": ["*"], "owner": "the-operator", "expires": "soon"}).status == 400
        assert w.as_local("POST", "/keys", {"models": ["*"]}).status == 400


def test_refusals_of_unknown_callers_are_recorded_up_to_a_number(tmp_path: Path) -> None:
    """An unknown caller who keeps knocking cannot fill the ledger."""
    with world(tmp_path) as w:
        before = w.records.outbox_size()
        for _ in range(80):
            assert w.call("GET", "/keys").status == 401
        assert 30 <= w.records.outbox_size() - before <= 60


def test_addresses_and_parameters_that_do_not_exist(tmp_path: Path) -> None:
    """Unknown addresses, methods and parameters, bad numbers, indexes and too large bodies are refused in words."""
    with world(tmp_path) as w:
        assert w.call("GET", "/nothing").code == "not_found"
        assert w.call("PUT", "/keys").status == 405
        for path in ("/keys?colour=red", "/keys?owner=a&owner=b", "/exchanges?limit=many", "/changes?state=odd", "/records?kind=odd"):
            assert w.as_local("GET", path).status == 400
        assert w.as_local("GET", "/ledger/entries/99999").status == 404
        assert w.as_local("GET", "/ledger/entries/-1").status == 400
        assert w.as_local("GET", "/records/limit/key:k/requests/60s").status == 404
        assert w.as_local("POST", "/changes", {"kind": "model", "target": "x"}).status == 400
        assert w.as_local("POST", "/changes", {"kind": "model", "target": "x", "yaml": "a: ["}).status == 400
        assert w.as_local("POST", "/keys", b" " * 1_000_001).status == 400
        assert w.as_local("POST", "/usage", b"x", media="image/png").status == 400


def test_control_runs_and_packages_go_to_who_makes_them(tmp_path: Path) -> None:
    """The caller's name travels with a run, and a package comes back as bytes."""
    with world(tmp_path) as w:
        assert w.as_local("POST", "/controls/run", {"period": "2025-12-01..2025-12-31"}, "the-operator").json == {"runs": []}
        assert (w.runs[0].principal, w.runs[0].controls) == ("person:the-operator", ())
        reply = w.as_local("POST", "/affidavits", {"period": "2025-12-01..2025-12-31"})
        assert reply.data == b"package of 2025-12-01..2025-12-31"
        assert w.as_local("GET", "/status").json["workers"] == 2


def test_what_the_local_credential_does_under_a_name_says_so(tmp_path: Path) -> None:
    """An event by a person carries `via: local` when the local credential acted for them, and nothing when they signed in themselves."""
    with world(tmp_path) as w:
        assert w.as_local("POST", "/people/the-operator/password", {"password": "a long enough one"}, "the-admin").status == 200
        w.settle()
        reader = LedgerReader(w.home)
        found = [decode(data) for data in reader.entries(0, reader.size)]
        by_local = [event for event in found if event.type == "person.password_set"]
        assert [(event.actor, event.body["via"]) for event in by_local] == [("person:the-admin", "local")]
        signed_in = w.call("POST", "/sign-in", {"person": "the-operator", "password": "a long enough one"})
        headers = {"cookie": f"affiant_session={signed_in.cookie('affiant_session')}", "x-affiant-csrf": signed_in.json["csrf"]}
        assert w.call("POST", "/people/the-operator/password", {"password": "an even longer one"}, headers).status == 200
        w.settle()
        own = [decode(data) for data in reader.entries(len(found), reader.size)]
        assert [event.body.get("via") for event in own if event.type == "person.password_set"] == [None]
