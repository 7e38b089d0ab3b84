"""A company in which every control has deviations of several kinds, and shaken copies of it, for comparing engines."""

from __future__ import annotations

import random
from dataclasses import replace

from ledger_factory import DAY, HOUR, MIN, START, Fact, Story, company

DAYS = 5
_RECORDS = "n1/records/1"
_TEXTS = ("scribe", "other", "harbor", "elsewhere", "help", "plain", "k1", "k2", "k3", "1.0", "2.0", "ana", "ben", "cat", "public", "")
_KEPT = frozenset({"ledger.created", "control.adopted"})


def troubled() -> Story:
    """Five days of trouble."""
    story = company(DAYS)
    for part in (_probes, _models, _keys, _hours, _exchanges, _changes, _labels, _personal_data):
        part(story)
    return story


def _probes(story: Story) -> None:
    opened = story.find("probe.opened")
    gone = opened[7]
    story.facts = [f for f in story.facts if f is not gone and not (f.draft.type == "probe.pledged" and f.draft.ref == gone.draft.ref)]
    opened[2].draft.body.update(seen="allowed", matched=0)
    opened[4].draft.body["exchange"] = "x0-0"
    story.probe(START + 2 * DAY + HOUR, "pii", opened=False)


def _models(story: Story) -> None:
    story.exchange(START + DAY, "m-never", link={"model": "other"})
    story.exchange(START + DAY + MIN, "m-version", link={"version": "2.0"})
    story.exchange(START + DAY + 2 * MIN, "m-attempt", attempt={"model": "other"})
    approval = {"provider": "harbor", "upstream": "s", "approved_by": "ben", "author": "ana", "change": "c0"}
    for day, version in ((2, "1.0"), (3, "3.0"), (3, "1.0")):
        at = START + day * DAY + (HOUR if version == "3.0" else 0)
        story.tell(at, "model.approved", {**approval, "version": version}, "scribe", _RECORDS)
    story.tell(START + 4 * DAY + 9 * HOUR + MIN, "model.withdrawn", {"why": "old"}, "scribe", _RECORDS)


def _keys(story: Story) -> None:
    story.find("key.revoked", "k2")[0].draft.body["elapsed_ms"] = 2001
    story.find("key.revoked", "k2")[0].at = START + DAY
    story.find("key.revoke_requested", "k2")[0].at = START + DAY - MIN
    story.exchange(START + 2 * DAY + MIN, "k-after", key="k2")
    story.tell(START + 3, "key.created", {"owner": "cat", "scope": ["*"]}, "k4", _RECORDS)
    story.tell(START + 4, "key.created", {"owner": "cat", "scope": ["*"], "expires": START + DAY}, "k5", _RECORDS)
    story.tell(START + 2 * DAY, "person.left", {"change": "c9"}, "cat", _RECORDS)
    at = START + 2 * DAY + 2 * MIN
    story.tell(at, "key.revoke_requested", {"why": "left", "epoch": 10}, "k3", _RECORDS)
    story.tell(at + 9, "key.revoked", {"requested": at, "effective": at + 9, "elapsed_ms": 1, "epoch": 10, "workers": 2}, "k3")
    story.tell(at + MIN, "key.revoked", {"requested": at, "effective": at, "elapsed_ms": 1, "epoch": 11, "workers": 2}, "k1")


def _hours(story: Story) -> None:
    for number, node in enumerate(("n3", "n2", "N2", "é1")):
        story.tell(
            START + number, "producer.started", {"role": "gateway", "node": node, "software": "0"}, producer=f"n{number + 2}/gateway/1"
        )
    for hour in story.find("service.hour")[3:6]:
        hour.draft.body["served"] = 20
    assert story.drop("service.hour", hour=START + 3 * DAY)


def _exchanges(story: Story) -> None:
    assert story.drop("exchange.closed", "x1-1")
    story.tell(START + 3 * DAY + 9 * HOUR, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "x2-1")
    story.exchange(START + 3 * DAY + 10 * HOUR, "x3-1", outcome="")
    story.exchange(START + 3 * DAY, "e-cut", outcome="", link={"provider": "elsewhere"})
    story.tell(START + 3 * DAY + MIN, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "e-cut")
    attempt = {"provider": "harbor", "model": "scribe", "version": "1.0", "status": 500, "ms": 9}
    story.exchange(START + DAY + 3 * MIN, "e-caps", attempts=[{"id": str(n), **attempt, "status": 200 * (n == 2)} for n in range(3)])
    usage = {"account": "main", "requests": 9, "held": 1, "source": "ff", "tokens": 5}
    story.tell(START + 4 * DAY, "provider.usage", {**usage, "day": 20261002}, "harbor", _RECORDS)
    story.tell(START + 4 * DAY, "provider.usage", {**usage, "day": 20261003, "held": 0, "account": "stray"}, "harbor", _RECORDS)
    assert story.drop("provider.usage", day=20261004)


def _changes(story: Story) -> None:
    story.change(START + DAY, "c-none", "route", "help", approver="")
    story.change(START + DAY, "c-self", "route", "help", approver="ana")
    story.change(START + DAY, "c-other", "model", "scribe", approved="00")
    story.change(START + DAY, "c-emergency", "policy", "default", approver="ana", emergency=1)
    story.change(START + DAY, "c-reviewed", "policy", "default", approver="", emergency=1)
    digest = story.find("change.activated", "c-reviewed")[0].draft.body["digest"]
    story.tell(START + 2 * DAY, "change.approved", {"by": "ben", "author": "ana", "digest": digest}, "c-reviewed")
    story.change(START + 2 * DAY, "c-unasked", "route", "help")
    assert story.drop("change.proposed", "c-unasked")
    again = story.find("change.proposed", "c1")[0]
    story.tell(again.at + 1, "change.proposed", {**again.draft.body, "author": "abe"}, "c1")
    story.change(START + 2 * DAY, "c-boot", "route", "help", approver="", bootstrap=1)
    story.tell(START + DAY, "limit.set", {"scope": "all", "unit": "requests", "window_s": 60, "value": 9, "change": "ghost"}, "l1")


def _labels(story: Story) -> None:
    story.exchange(START + DAY + 4 * MIN, "l-label", label="public")
    story.exchange(START + DAY + 5 * MIN, "l-unknown", link={"provider": "elsewhere"})
    story.exchange(START + DAY + 6 * MIN, "l-undeclared", route="plain", label="internal")
    provider = {"kind": "openai", "base_url": "http://h", "region": "eu", "network": "private", "change": "c0"}
    for at, labels in ((2 * DAY, ["public", "public"]), (2 * DAY + 12 * HOUR, ["public", "confidential"]), (3 * DAY, ["internal"])):
        story.tell(START + at, "provider.set", {**provider, "labels": labels}, "harbor", _RECORDS)
    story.tell(START + 4 * DAY, "provider.removed", {"change": "c0"}, "harbor", _RECORDS)


def _personal_data(story: Story) -> None:
    story.exchange(START + DAY + 7 * MIN, "p-off", decisions=[])
    story.exchange(START + DAY + 8 * MIN, "p-watch", mode="watch", pii={"acted": 0, "enforced": 0})
    story.exchange(START + DAY + 9 * MIN, "p-partly", pii={"acted": 1})
    story.exchange(START + DAY + 10 * MIN, "p-image", uninspected=1, decisions=[])
    route = dict(story.find("route.set")[0].draft.body)
    story.tell(START + 3 * DAY + 12 * HOUR, "route.set", {**route, "redacts": [], "label": "internal"}, "help", _RECORDS)
    story.tell(START + 4 * DAY + 12 * HOUR, "route.set", route, "help", _RECORDS)
    story.tell(START + 4 * DAY + 13 * HOUR, "route.removed", {"change": "c0"}, "help", _RECORDS)


def shaken(seed: int, most: int = 150) -> Story:
    """The troubled company with events lost, doubled, moved and altered by chance."""
    chance, story = random.Random(seed), troubled()
    for _ in range(most):
        fact = chance.choice(story.facts)
        if fact.draft.type in _KEPT:
            continue
        match chance.randrange(4):
            case 0:
                story.facts.remove(fact)
            case 1:
                story.facts.append(replace(fact, at=fact.at + chance.choice((0, 1, 2_000_000, HOUR, DAY))))
            case 2:
                fact.at = max(START, fact.at + chance.choice((-DAY, -HOUR, -2_000_000, 1, 2_000_001, DAY)))
            case _:
                _alter(fact, chance)
    return story


def _alter(fact: Fact, chance: random.Random) -> None:
    """Another value of the same kind in one field, within lists too."""
    lists = [value for value in fact.draft.body.values() if isinstance(value, list)]
    bodies = [fact.draft.body, *(item for each in lists for item in each if isinstance(item, dict))]
    body = chance.choice(bodies)
    if not body:
        return
    name = chance.choice(sorted(body))
    value = body[name]
    if isinstance(value, str):
        body[name] = chance.choice(_TEXTS)
    elif isinstance(value, int):
        body[name] = max(0, chance.choice((0, 1, value - 1, value + 1, 2 * value)))
