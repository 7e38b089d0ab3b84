"""Every route of the console: anonymous, wrong role, valid; headers, forms, sign-in and the pages for errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from console_world import PASSWORD, World, live_months, make_world

from affiant.console.pages import PUBLIC, SPECS
from affiant.console.security import CSP
from affiant.records.roles import MATRIX, ROLES


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("console"))
    live_months(made, 12)
    yield made
    made.close()


def addresses(world: World) -> dict[str, str]:
    freeze = next(iter(world.findings.items))
    change = world.records.changes()[0].id
    return {
        "exchange": f"x_{1:026d}",
        "control": "PI-5.1",
        "freeze": freeze,
        "index": "3",
        "change": change,
        "key": "website",
        "appeal": "ap_none",
        "token": "t",
    }


def at(world: World, path: str) -> str:
    return path.format(**addresses(world))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.method} {spec.path}")
def test_route_is_closed_to_strangers(world: World, spec) -> None:
    """Nobody reaches a page or form without a session."""
    client = world.client()
    answer = client.request(spec.method, at(world, spec.path), data={"csrf": "x"} if spec.method == "POST" else None)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.method} {spec.path}")
def test_route_is_closed_to_wrong_roles(world: World, spec) -> None:
    """A person without a role for the action is refused in words, and the refusal is an event."""
    people = {"consumer": "sofia.reyes", "auditor": "otto.auditor", "developer": "priya.nair", "operator": "jonas.vik"}
    wrong = [people[role] for role in people if role not in MATRIX[spec.action]]
    if not wrong:
        assert MATRIX[spec.action] == frozenset(ROLES)
        return
    client = world.client(wrong[0])
    before = len(world.context.reader.find(spec.action))
    path = at(world, spec.path)
    answer = world.post(client, path) if spec.method == "POST" else client.get(path)
    assert answer.status_code == 403
    assert "You may not do this" in answer.text
    world.settle()
    assert len(world.context.reader.find(spec.action)) == before + 1


@pytest.mark.parametrize("spec", [s for s in SPECS if s.method == "GET"], ids=lambda spec: spec.path)
def test_page_answers_with_headers(world: World, spec) -> None:
    """Each page answers a person with the role, under the strict headers, and is kept by no cache."""
    answer = world.client("mara.lind").get(at(world, spec.path))
    assert answer.status_code == 200, answer.text[:400]
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


class Markup(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("spec", [s for s in SPECS if s.method == "GET" and "." not in s.path], ids=lambda spec: spec.path)
def test_page_is_accessible_and_has_no_inline_code(world: World, spec) -> None:
    """No inline script, style or handler; one h1, landmarks, labelled fields, heads with a scope, images with a title."""
    text = world.client("mara.lind").get(at(world, spec.path)).text
    found = Markup()
    found.feed(text)
    for tag, attrs in found.tags:
        assert "style" not in attrs and tag != "style", (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
        assert tag != "script" or attrs.get("src"), attrs
        assert tag != "th" or attrs.get("scope"), attrs
        assert tag != "form" or attrs.get("method") in ("get", "post", None)
    if spec.path.startswith("/fragments") or spec.path.endswith("/raw"):
        return
    names = [tag for tag, _ in found.tags]
    assert names.count("h1") == 1 and names.count("main") == 1 and "nav" in names
    assert 'href="#main"' in text and '<html lang="en"' in text
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert text.count('role="img"') <= text.count("<title>")
    assert not re.search(r"\b(compliant|certified|effective)\b", re.sub(r"<[^>]+>", " ", text))


def test_every_form_carries_the_token(world: World) -> None:
    """Each form that changes something carries the CSRF token of the session."""
    client = world.client("mara.lind")
    token = world.csrf(client)
    for spec in SPECS:
        if spec.method == "GET" and "." not in spec.path:
            text = client.get(at(world, spec.path)).text
            for form in re.findall(r'<form[^>]*method="post".*?</form>', text, re.S):
                assert token in form, spec.path


def test_form_without_token_or_from_elsewhere_is_refused(world: World) -> None:
    """A form from another site, or without this session's token, changes nothing."""
    client = world.client("mara.lind")
    ran = len(world.ran)
    assert client.post("/controls/run", data={"csrf": "wrong"}).status_code == 403
    assert client.post("/controls/run", data={"other": "1"}).status_code == 403
    foreign = client.post("/controls/run", data={"csrf": world.csrf(client)}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403 and len(world.ran) == ran


def test_form_must_be_small_and_plain(world: World) -> None:
    """Another content type, a field given twice and an oversized form are refused before anything is looked up."""
    client = world.client("mara.lind")
    assert client.post("/changes", json={"a": 1}).status_code == 400
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/changes", content="a=1&a=2", headers=kind).status_code == 400
    assert client.post("/changes", content="a=" + "x" * 300_000, headers=kind).status_code == 400
    assert client.post("/changes", content="a=%ff", headers=kind).status_code == 400


def test_sign_in_and_out(world: World) -> None:
    """A right password opens a session in an HttpOnly, SameSite=Strict cookie; signing out ends it."""
    client = world.client()
    page = client.get("/sign-in?next=/ledger")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    wrong = client.post("/sign-in", data={"csrf": token[1], "person": "mara.lind", "password": "no", "next": "/ledger"})
    assert wrong.status_code == 403 and "Person or password is wrong" in wrong.text and 'value="mara.lind"' in wrong.text
    right = client.post("/sign-in", data={"csrf": token[1], "person": "mara.lind", "password": PASSWORD, "next": "/ledger"})
    assert right.status_code == 303 and right.headers["location"] == "/ledger"
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "secure" not in cookie
    assert client.get("/ledger").status_code == 200
    out = world.post(client, "/sign-out")
    assert out.headers["location"] == "/sign-in"
    assert client.get("/ledger").status_code == 303


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"])
def test_sign_in_leads_nowhere_else(world: World, target: str) -> None:
    """After a sign-in only a place on this console is gone to."""
    client = world.client()
    page = client.get("/sign-in", params={"next": target})
    assert 'name="next" value="/"' in page.text


def test_one_time_link_is_used_by_a_button_only(world: World) -> None:
    """Looking at a one-time link does not use it up; its button does, once."""
    token = world.records.sign_in_link("mara.lind", "ines.faro")
    client = world.client()
    for _ in range(2):
        page = client.get(f"/link/{token}")
        assert page.status_code == 200 and "Continue" in page.text
    form = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert form
    assert client.post("/link", data={"csrf": form[1], "token": token}).headers["location"] == "/"
    assert client.get("/").status_code == 200
    again = client.post("/link", data={"csrf": form[1], "token": token})
    assert again.status_code == 403 and "unknown, used or expired" in again.text


def test_sign_in_form_is_tied_to_its_browser(world: World) -> None:
    """The sign-in form of another browser is refused."""
    page = world.client().get("/sign-in")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    assert world.client().post("/sign-in", data={"csrf": token[1], "person": "mara.lind", "password": PASSWORD}).status_code == 403


def test_public_routes_are_only_those_that_lead_to_a_session() -> None:
    """Nothing but sign-in and one-time links is open to everybody."""
    assert {path for path, _, _ in PUBLIC} == {"/sign-in", "/link/{token}", "/link"}


def test_errors_wear_the_look_of_the_product(world: World) -> None:
    """Unknown addresses, records and entries say what happened and what to do, under the same headers."""
    client = world.client("mara.lind")
    for path in ("/nowhere", "/controls/XX-1", "/entries/999999", "/entries/x", "/exchanges/x_none", "/populations/none", "/changes/none"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "Affiant" in answer.text and "Demonstration" in answer.text and answer.headers["content-security-policy"] == CSP
    assert client.get("/exchanges?day=yesterday").status_code == 400


def test_surprise_becomes_a_reference_and_no_detail(world: World) -> None:
    """An error that nobody foresaw shows a reference and nothing of the inside."""
    broken = make_broken(world)
    answer = broken.get("/")
    assert answer.status_code == 500
    assert "Reference" in answer.text and "inside detail" not in answer.text and "Traceback" not in answer.text


def make_broken(world: World):
    """A browser on a console whose findings fail unexpectedly."""
    from dataclasses import replace

    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from affiant.console import create_console

    class Broken(type(world.findings)):  # type: ignore[misc]
        def due(self, now_us: int):
            raise RuntimeError("inside detail")

    context = replace(world.context, findings=Broken(), index_path=":memory:")
    client = TestClient(Starlette(routes=create_console(context)), base_url="http://console.test", raise_server_exceptions=False)
    client.cookies.set("affiant_session", world.records.sign_in("mara.lind", PASSWORD).token)
    return client


def test_https_makes_host_bound_secure_cookies(world: World) -> None:
    """By https cookies are Secure and bound to the host, and the answer asks for https for a year."""
    from dataclasses import replace

    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from affiant.console import create_console

    context = replace(world.context, secure=True, index_path=":memory:")
    answer = TestClient(Starlette(routes=create_console(context)), base_url="https://console.test").get("/sign-in")
    assert "__Host-affiant_form" in answer.headers["set-cookie"] and "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=")
