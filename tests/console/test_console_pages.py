"""What pages do over a real home: they count, link, filter, prove, and let people change things only as they may."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_world import START, World, exchange, live_months, make_world

from affiant.console.index import Index
from affiant.console.proofs import siblings
from affiant.console.words import DAY_US
from affiant.proof.hashes import inclusion_proof, leaf_hash, levels_of, node_hash, root_of
from affiant.proof.tlogproof import TlogProof


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("pages"))
    live_months(made, 20)
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, "northwind.example/log", period=False)
    yield made
    made.close()


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_empty_home_says_what_to_do_first(fresh: World) -> None:
    """A home without traffic and runs has no stamp and says on each page what to do first."""
    client = fresh.client("mara.lind")
    today = words_of(client.get("/").text)
    assert "Demonstration" not in today and "Nothing needs a person." in today
    assert "affiant key create" in today and "No probe was performed" in today
    assert "affiant key create" in words_of(client.get("/exchanges").text)
    assert "affiant control run" in words_of(client.get("/populations").text)
    control = words_of(client.get("/controls/PI-5.1").text)
    assert "not tested" in control and "never run" in control and "affiant control run PI-5.1" in control


def test_today_counts_what_the_ledger_holds(world: World) -> None:
    """Traffic on Today equals the entries, and results add up to all controls."""
    text = words_of(world.client("mara.lind").get("/").text)
    counts = world.reader.counts()
    assert f"{counts['exchange.opened']} accepted and {counts['exchange.refused']} refused" in text
    assert f"{len(world.context.catalog.controls)} controls" in text
    assert "cannot be repaired after" in text


def test_filters_stay_in_the_address(world: World) -> None:
    """A filtered list shows only what fits, keeps the filter in its links, and its CSV has the same rows."""
    client = world.client("mara.lind")
    refused = world.reader.counts()["exchange.refused"]
    page = client.get("/exchanges?outcome=refused")
    assert f"of {refused}" in words_of(page.text) and "/exchanges.csv?outcome=refused" in page.text
    lines = client.get("/exchanges.csv?outcome=refused").text.splitlines()
    assert len(lines) == refused + 1 and all(",refused," in line for line in lines[1:])
    first = client.get("/exchanges")
    assert "/exchanges?offset=50" in first.text
    day = START // DAY_US + 3
    assert client.get("/exchanges?day=2026-09-04").status_code == 200 and day
    assert "Nothing matches" in client.get("/exchanges?key=nobody").text


def test_entry_page_shows_bytes_and_a_path_that_holds(world: World) -> None:
    """The bytes shown are those stored, and the path shown leads from their leaf to the root shown."""
    client = world.client("mara.lind")
    index = 100
    data = world.reader.entry(index)
    assert client.get(f"/entries/{index}/raw").content == data
    text = client.get(f"/entries/{index}").text
    assert leaf_hash(data).hex() in text and "equal to the signed root" in text and "harbor-audit" in text


def test_sides_of_a_path_are_right() -> None:
    """Hashing a path with the sides that the drawing shows gives the root, for every entry of every size up to 40."""
    leaves = [leaf_hash(bytes([n])) for n in range(40)]
    for size in range(1, 41):
        get, root = levels_of(leaves[:size]), root_of(leaves[:size])
        for index in range(size):
            path = tuple(inclusion_proof(index, size, get))
            node, under = leaves[index], 1
            for sibling in siblings(index, size, path):
                other = bytes.fromhex(sibling.hash)
                node = node_hash(other, node) if sibling.left else node_hash(node, other)
                under += sibling.leaves
            assert node == root and under == size


def test_receipt_proves_itself(world: World) -> None:
    """A receipt's entries and proofs verify without this program's readers."""
    ref = f"x_{7:026d}"
    receipt = json.loads(world.client("mara.lind").get(f"/exchanges/{ref}/receipt.json").content)
    assert receipt["exchange"] == ref and len(receipt["entries"]) == 2
    for each in receipt["entries"]:
        leaf = leaf_hash(each["entry"].encode())
        assert leaf.hex() == each["leaf"]
        proof = TlogProof.parse(each["proof"].encode())
        size, root = proof.checkpoint.decode().split("\n")[1:3] if isinstance(proof.checkpoint, bytes) else ("", "")
        assert int(size) > each["index"] and len(base64.b64decode(root)) == 32


def test_exchange_page_says_what_was_redacted_and_tried(world: World) -> None:
    """A receipt names redactions by type, each attempt, both entries, and what was not inspected."""
    client = world.client("mara.lind")
    text = words_of(client.get(f"/exchanges/x_{20:026d}").text)
    assert "3 × e-mail" in text and "Attempt 1" in text and "429" in text and "Attempt 2" in text
    refused = next(event.ref for _, event in world.reader.of_types("exchange.refused"))
    text = words_of(client.get(f"/exchanges/{refused}").text)
    assert "Refused before forwarding: injection detected" in text and "Nothing left for a provider" in text


def test_not_enforced_is_said(fresh: World) -> None:
    """What a route in watch mode would have done is labelled not enforced."""
    drafts = exchange(1, 0, redacted=2, mode="watch")
    drafts[0].body["decisions"][0].update(enforced=0, acted=0)
    fresh.put(drafts)
    fresh.settle()
    client = fresh.client("mara.lind")
    text = words_of(client.get(f"/exchanges/x_{1:026d}").text)
    assert "Not enforced" in text and "redacted." not in text
    assert "would be redacted" in words_of(client.get("/exchanges").text)
    assert "1–1 of 1" in words_of(client.get("/exchanges?mode=not_enforced").text)


def test_consumer_sees_own_exchanges_only(world: World) -> None:
    """A consumer sees exchanges of their own keys, and nothing of others, not even that they exist."""
    world.put(exchange(9_001, 0, key="branch"))
    world.settle()
    client = world.client("sofia.reyes")
    text = words_of(client.get("/exchanges").text)
    assert "1–1 of 1" in text and "website" not in text
    assert client.get(f"/exchanges/x_{9_001:026d}").status_code == 200
    assert client.get(f"/exchanges/x_{1:026d}").status_code == 404
    assert len(client.get("/exchanges.csv").text.splitlines()) == 2
    people = words_of(client.get("/people").text)
    assert "branch" in people and "website" not in people and "mara.lind" not in people


def test_change_goes_from_one_person_to_another(world: World) -> None:
    """A change is proposed by one person, refused to its author, approved by another and activated, each step an entry."""
    author, other = world.client("priya.nair"), world.client("mara.lind")
    content = "scope: all\nunit: requests\nwindow: 60\nvalue: 900\n"
    sent = world.post(author, "/changes", kind="limit", target="all/requests/60s", content=content, reason="more room")
    assert sent.status_code == 303, words_of(sent.text)
    path = sent.headers["location"].split("?")[0]
    page = author.get(path).text
    assert "You are its author" in page and re.search(r"<button[^>]*disabled", page)
    assert world.post(author, f"{path}/approve").status_code == 403
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', other.get(path).text)
    assert digest
    assert world.post(other, f"{path}/approve", digest="0" * 64).status_code == 409
    assert world.post(other, f"{path}/approve", digest=digest[1]).status_code == 303
    assert world.post(other, f"{path}/activate").status_code == 303
    world.settle()
    done = words_of(other.get(path).text)
    assert "in force since" in done and "Activated" in done
    assert {event.type for event in map(world.reader.event, world.reader.find(path.rsplit("/", 1)[1]))} >= {
        "change.proposed",
        "change.activated",
    }


def test_faulty_proposal_keeps_what_was_typed(world: World) -> None:
    """A faulty proposal comes back with what is wrong and what was typed, and nothing is proposed."""
    client = world.client("priya.nair")
    before = len(world.records.changes())
    answer = world.post(client, "/changes", kind="route", target="r1", content="models: nowhere <b>", reason="x")
    assert (
        answer.status_code == 400
        and "models: nowhere &lt;b&gt;" in answer.text
        and "<b>" not in answer.text.split("<textarea")[1].split(">")[1]
    )
    assert len(world.records.changes()) == before


def test_key_secret_is_shown_once(world: World) -> None:
    """Making a key shows its secret on that answer only; revoking it shows at once."""
    client = world.client("ines.faro")
    made = world.post(client, "/keys", owner="priya.nair", scope="support-chat", days="30", tenant="")
    secret = re.search(r"sk-aff-[A-Za-z0-9_-]+", made.text)
    assert made.status_code == 200 and secret and made.headers["cache-control"] == "no-store"
    listed = client.get("/people").text
    assert secret[0] not in listed
    key = re.search(r'action="/keys/(key_[a-z0-9]+)/revoke"', listed)
    assert key
    assert world.post(client, f"/keys/{key[1]}/revoke").status_code == 303
    assert world.records.key(key[1]).state != "live"


def test_run_names_who_asked(world: World) -> None:
    """Running controls from the console is done in the person's name."""
    client = world.client("mara.lind")
    assert world.post(client, "/controls/PI-5.1/run").headers["location"] == "/controls/PI-5.1?done=ran"
    assert world.ran[-1] == ("person:mara.lind", ("PI-5.1",))
    assert "Controls ran." in client.get("/controls?done=ran").text
    assert "Controls ran." not in client.get("/controls?done=<b>").text


def test_population_page_filters_rows(world: World) -> None:
    """Rows of a population are filtered by item result, and the CSV has the same rows."""
    client = world.client("otto.auditor")
    freeze = next(f for f in world.findings.items if "aud_4_1" in f)
    text = words_of(client.get(f"/populations/{freeze}?item=deviation").text)
    assert "1–1 of 1" in text and "missed" in text
    assert len(client.get(f"/populations/{freeze}.csv?item=deviation").text.splitlines()) == 2
    whole = words_of(client.get(f"/populations/{freeze}").text)
    assert "As it ran" in whole and "affiant control run AUD-4.1 --period 2026-09-01..2027-02-28" in whole


def test_auditor_reads_and_changes_nothing(world: World) -> None:
    """An auditor sees evidence, and no button that changes anything."""
    client = world.client("otto.auditor")
    for path in ("/", "/controls", "/controls/PI-5.1", "/changes", "/people", "/ledger"):
        text = client.get(path).text
        assert not re.findall(r'<form method="post" action="/(?!sign-out|theme)', text), path
    assert world.post(client, "/controls/run").status_code == 403


def test_index_is_disposable(world: World, tmp_path: Path) -> None:
    """An index of another ledger, or of one that was longer, is built anew; an entry that cannot be read is listed."""
    entries = list(world.reader.entries(0, world.reader.size))
    index = Index(tmp_path / "i.db", "one")
    assert index.catch_up(len(entries), lambda a, b: enumerate(entries[a:b], a)) == 0
    index.close()
    other = Index(tmp_path / "i.db", "another")
    assert other.next == 0
    other.catch_up(3, lambda a, b: enumerate(entries[a:b], a))
    assert other.catch_up(2, lambda a, b: enumerate([b"not json", b'{"v":9}'][a:b], a)) == 0
    with other.reading() as db:
        assert [row[0] for row in db.execute("SELECT type FROM entry ORDER BY idx")] == ["unreadable", "unreadable"]
    assert other.catch_up(10_000, lambda a, b: enumerate(entries[a:b], a), budget_s=0) == 9_998
    other.close()


def test_theme_is_kept_in_the_browser(world: World) -> None:
    """The switch stores the theme in a cookie and leads back to the same page, never elsewhere."""
    client = world.client("mara.lind")
    answer = world.post(client, "/theme", theme="dark", back="/ledger")
    assert answer.headers["location"] == "/ledger"
    assert 'data-theme="dark"' in client.get("/").text
    assert world.post(client, "/theme", theme="neon", back="//evil.example").headers["location"] == "/"


def test_hostile_text_stays_text(fresh: World) -> None:
    """Names from outside never become markup."""
    drafts = exchange(1, 0)
    hostile = '"><script>alert(1)</script>'
    drafts[0].body["route"] = hostile
    drafts[0].body["links"][0]["model"] = hostile
    fresh.put(drafts)
    fresh.settle()
    client = fresh.client("mara.lind")
    for path in ("/exchanges", f"/exchanges/x_{1:026d}", f"/entries/{fresh.reader.find(f'x_{1:026d}')[0]}", "/exchanges?key=" + hostile):
        assert "<script>alert" not in client.get(path).text, path
