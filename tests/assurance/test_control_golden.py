"""Each control over a month in which it was kept, and over months in which it was broken on purpose, on both engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_factory import CATALOG, DAY, HOUR, MIN, PERIOD, START, Story, company

from affiant.assurance import ControlRun, Evidence, Listed, run_all, run_control
from affiant.proof.results import DEVIATIONS, NO_DEVIATIONS, NO_OCCURRENCE, NOT_TESTED

ENGINES = ("duckdb", "sqlite")


def run(story: Story, control: str) -> ControlRun:
    """A control on both engines, which must agree to the last item."""
    entries = story.entries()
    runs = []
    for engine in ENGINES:
        with Evidence(Listed(entries), engine=engine) as evidence:
            runs.append(run_control(evidence, CATALOG.controls[control], PERIOD))
    duck, lite = runs
    assert duck.items == lite.items and duck.frozen and lite.frozen
    assert duck.frozen.rows == lite.frozen.rows and duck.frozen.root == lite.frozen.root
    assert duck.frozen.unmatched == lite.frozen.unmatched and duck.deviations == lite.deviations
    return duck


def test_a_company_that_keeps_its_controls_has_no_deviations() -> None:
    """Every control of the library finds occurrences and no deviation, on both engines."""
    entries = company().entries()
    for engine in ENGINES:
        with Evidence(Listed(entries), engine=engine) as evidence:
            for result in run_all(evidence, CATALOG, PERIOD):
                assert (result.control.id, result.result, result.deviations, result.untested) == (result.control.id, NO_DEVIATIONS, (), ())
                assert result.frozen and not result.frozen.unmatched and result.frozen.rows


def two_days_without_probes(story: Story) -> None:
    for day in (3, 4):
        for name, minute in {"injection": 433, "pii": 611}.items():
            due = START + day * DAY + minute * MIN
            assert story.drop("probe.opened", due=due, probe=name)
            story.facts = [f for f in story.facts if not (f.draft.type == "probe.pledged" and f.at == due)]


def unopened_pledge(story: Story) -> None:
    story.probe(START + 2 * DAY + HOUR, "pii", opened=False)


def probe_let_through(story: Story) -> None:
    for fact in story.find("probe.opened")[:1]:
        fact.draft.body.update(seen="allowed", matched=0)


def forged_probe(story: Story) -> None:
    story.find("probe.opened")[5].draft.body["exchange"] = "x0-0"


def never_approved(story: Story) -> None:
    story.exchange(START + DAY, "bad", link={"model": "other"})


def withdrawn(story: Story) -> None:
    story.tell(START + 29 * DAY, "model.withdrawn", {"why": "old"}, "scribe", "n1/records/1")


def other_version(story: Story) -> None:
    story.exchange(START + DAY, "bad", link={"version": "2.0"})


def not_permitted(story: Story) -> None:
    story.exchange(START + DAY, "bad", attempt={"model": "other"})


def key_never_revoked(story: Story) -> None:
    assert story.drop("key.revoked", "k2")


def key_revoked_late(story: Story) -> None:
    story.find("key.revoked", "k2")[0].draft.body["elapsed_ms"] = 2001


def key_used_after(story: Story) -> None:
    story.exchange(START + 6 * DAY, "bad", key="k2")


def leaver_keeps_key(story: Story) -> None:
    story.tell(START + 7 * DAY, "person.left", {"change": "c9"}, "cat", "n1/records/1")


def leaver_late(story: Story) -> None:
    leaver_keeps_key(story)
    at = START + 7 * DAY + 2 * MIN
    story.tell(at, "key.revoke_requested", {"why": "left", "epoch": 10}, "k3", "n1/records/1")
    story.tell(at + 1000, "key.revoked", {"requested": at, "effective": at + 1000, "elapsed_ms": 1, "epoch": 10, "workers": 2}, "k3")


def hour_missing(story: Story) -> None:
    assert story.drop("service.hour", hour=START + 3 * DAY)


def minutes_unserved(story: Story) -> None:
    for number in (0, 1, 2):
        story.find("service.hour")[number].draft.body["served"] = 40


def outcome_lost(story: Story) -> None:
    assert story.drop("exchange.closed", "x4-1")


def two_outcomes(story: Story) -> None:
    story.tell(START + 4 * DAY + 9 * HOUR + 2_000_000, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "x4-1")


def opened_twice(story: Story) -> None:
    story.exchange(START + 4 * DAY + 9 * HOUR + 10, "x4-1", outcome="")


def too_many_attempts(story: Story) -> None:
    attempt = {"provider": "harbor", "model": "scribe", "version": "1.0", "status": 500, "ms": 9}
    story.exchange(START + DAY, "bad", attempts=[{"id": str(n), **attempt} for n in range(3)])


def not_approved(story: Story) -> None:
    story.change(START + 2 * DAY, "c2", "route", "help", approver="")


def self_approved(story: Story) -> None:
    story.change(START + 2 * DAY, "c2", "route", "help", approver="ana")


def other_content(story: Story) -> None:
    story.change(START + 2 * DAY, "c2", "route", "help", approved="00")


def emergency(story: Story) -> None:
    story.change(START + 2 * DAY, "c2", "route", "help", approver="ana", emergency=1)


def emergency_then_reviewed(story: Story) -> None:
    emergency(story)
    digest = story.find("change.activated", "c2")[0].draft.body["digest"]
    story.tell(START + 3 * DAY, "change.approved", {"by": "ben", "author": "ana", "digest": digest}, "c2")


def not_proposed(story: Story) -> None:
    story.change(START + 2 * DAY, "c2", "route", "help")
    assert story.drop("change.proposed", "c2")


def approved_afterwards(story: Story) -> None:
    story.change(START + 2 * DAY, "c2", "route", "help")
    story.find("change.approved", "c2")[0].at = START + 3 * DAY


def restricted_to_harbor(story: Story) -> None:
    story.find("route.set")[0].draft.body["label"] = "restricted"
    for fact in story.find("exchange.opened"):
        fact.draft.body["label"] = "restricted"


def label_lowered(story: Story) -> None:
    story.exchange(START + DAY, "bad", label="public")


def provider_not_registered(story: Story) -> None:
    story.exchange(START + DAY, "bad", link={"provider": "elsewhere"})


def interrupted_to_forbidden(story: Story) -> None:
    story.exchange(START + DAY, "bad", link={"provider": "elsewhere"}, outcome="")
    story.tell(START + DAY + MIN, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "bad")


def pii_guard_off(story: Story) -> None:
    story.exchange(START + DAY, "bad", decisions=[])


def pii_watched(story: Story) -> None:
    story.exchange(START + DAY, "bad", mode="watch", pii={"acted": 0, "enforced": 0})


def pii_partly(story: Story) -> None:
    story.exchange(START + DAY, "bad", pii={"acted": 1})


Break = Callable[[Story], None]
BREAKS: list[tuple[str, Break, str, int]] = [
    ("AUD-4.1", two_days_without_probes, "not_performed", 4),
    ("AUD-4.1", unopened_pledge, "never_opened", 1),
    ("AUD-4.1", probe_let_through, "answered_otherwise", 1),
    ("AUD-4.1", forged_probe, "pledge_broken", 2),
    ("GOV-3.1", never_approved, "never_approved", 2),
    ("GOV-3.1", withdrawn, "withdrawn", 12),
    ("GOV-3.1", other_version, "other_version", 2),
    ("GOV-3.1", not_permitted, "not_permitted", 1),
    ("SEC-1.2", key_never_revoked, "not_revoked", 1),
    ("SEC-1.2", key_revoked_late, "late", 1),
    ("SEC-1.2", key_used_after, "used_after", 1),
    ("SEC-1.2", leaver_keeps_key, "not_revoked", 1),
    ("SEC-1.2", leaver_late, "leaver_late", 1),
    ("AV-1.1", hour_missing, "hour_missing", 1),
    ("AV-1.1", minutes_unserved, "minutes_unserved", 3),
    ("PI-6.1", outcome_lost, "no_outcome", 1),
    ("PI-6.1", two_outcomes, "two_outcomes", 1),
    ("PI-6.1", opened_twice, "opened_twice", 2),
    ("PI-6.1", too_many_attempts, "beyond_caps", 1),
    ("PI-5.1", not_approved, "not_approved", 1),
    ("PI-5.1", self_approved, "approved_by_author", 1),
    ("PI-5.1", other_content, "other_content", 1),
    ("PI-5.1", emergency, "emergency_unreviewed", 1),
    ("PI-5.1", emergency_then_reviewed, "emergency_reviewed", 1),
    ("PI-5.1", not_proposed, "not_proposed", 1),
    ("PI-5.1", approved_afterwards, "not_approved", 1),
    ("CO-1.1", restricted_to_harbor, "label_forbidden", 93),
    ("CO-1.1", label_lowered, "other_label", 1),
    ("CO-1.1", provider_not_registered, "provider_unknown", 1),
    ("CO-1.1", interrupted_to_forbidden, "provider_unknown", 1),
    ("PR-1.1", pii_guard_off, "not_run", 1),
    ("PR-1.1", pii_watched, "not_enforced", 1),
    ("PR-1.1", pii_partly, "not_all_acted_on", 1),
]


@pytest.mark.parametrize(("control", "break_it", "code", "count"), BREAKS, ids=[f"{b[0]}-{b[1].__name__}" for b in BREAKS])
def test_a_broken_control_is_noticed(control: str, break_it: Break, code: str, count: int) -> None:
    """A control that is broken on purpose gives that many deviations with that reason, in words."""
    story = company()
    break_it(story)
    result = run(story, control)
    assert result.result == DEVIATIONS
    assert [found.code for found in result.deviations] == [code] * count
    assert all("{" not in found.why and found.why != code for found in result.deviations)


def test_every_reason_of_a_deviation_has_a_break() -> None:
    """No procedure has a reason for a deviation that no test provokes."""
    provoked = {(control, code) for control, _, code, _ in BREAKS}
    declared = {(c.id, code) for c in CATALOG.controls.values() for code, why in c.whys.items() if why.item == 1}
    assert declared == provoked


def test_no_commitment_cannot_be_tested() -> None:
    """Without a commitment there is nothing to hold minutes against, so the control is not tested."""
    story = company()
    story.drop("commitment.set")
    assert run(story, "AV-1.1").result == NOT_TESTED


def test_a_short_month_that_is_not_over_is_not_tested() -> None:
    """Minutes lost in the running month are no deviation while the month can still be made good."""
    story = company(days=10)
    for number in (0, 1):
        story.find("service.hour")[number].draft.body["served"] = 40
    result = run(story, "AV-1.1")
    assert result.result == NOT_TESTED and {found.code for found in result.untested} == {"month_not_over"}


def test_a_month_that_cannot_be_made_good_deviates_at_once() -> None:
    """More minutes lost than the whole month allows are a deviation before it ends."""
    story = company(days=10)
    assert story.drop("service.hour", hour=START + 3 * DAY)
    assert [found.index for found in run(story, "AV-1.1").deviations] == [None]


def test_a_month_within_its_commitment_has_no_deviation_in_spite_of_lost_minutes() -> None:
    """Forty minutes lost in a month of 44,640 are within 99.9 %."""
    story = company()
    story.find("service.hour")[5].draft.body["served"] = 20
    assert run(story, "AV-1.1").result == NO_DEVIATIONS


def test_a_dead_scheduler_misses_every_occurrence() -> None:
    """With the scheduler down for 20 days while the gateway serves, each expected probe of those days is a deviation."""
    story = company()
    story.facts = [f for f in story.facts if not (f.draft.type.startswith("probe.") and f.at >= START + 11 * DAY)]
    result = run(story, "AUD-4.1")
    assert len(result.deviations) == 20 * 4 and all(found.index is None for found in result.deviations)


def test_nothing_happened_is_no_occurrence() -> None:
    """A month without a change is no occurrence, not a pass."""
    story = company()
    for kind in ("change.proposed", "change.approved", "change.activated"):
        story.drop(kind)
    assert run(story, "PI-5.1").result == NO_OCCURRENCE


def test_settling_time_of_two_seconds() -> None:
    """Within two seconds of a withdrawal the old state is accepted, later it is not."""
    for late, expected in ((1_500_000, NO_DEVIATIONS), (2_500_000, DEVIATIONS)):
        story = company(days=2)
        at = START + DAY + 12 * HOUR
        story.tell(at, "model.withdrawn", {"why": "old"}, "scribe", "n1/records/1")
        story.exchange(at + late, "edge")
        assert run(story, "GOV-3.1").result == expected


def test_bootstrap_changes_are_listed_beside() -> None:
    """A change of the first set-up is no row and is listed with the unmatched."""
    story = company()
    story.change(START + DAY, "boot", "route", "help", approver="", bootstrap=1)
    result = run(story, "PI-5.1")
    assert result.result == NO_DEVIATIONS and result.frozen
    assert [row[0] for row in result.frozen.unmatched] == ["bootstrap"]


def test_a_record_without_an_activation_is_unmatched() -> None:
    """A governed record that came into force without an activated change is listed."""
    story = company()
    story.tell(START + DAY, "limit.set", {"scope": "all", "unit": "requests", "window_s": 60, "value": 9, "change": "ghost"}, "l1")
    result = run(story, "PI-5.1")
    assert result.frozen and [(row[0], row[3]) for row in result.frozen.unmatched] == [("not_activated", "ghost")]


def test_reconciliation_lists_days_that_differ_and_keys_that_are_not_held() -> None:
    """More requests than attempts, a missing count and a key outside the gateway are rows; interrupted ones lie within their caps."""
    story = company()
    usage = {"account": "main", "requests": 3, "held": 1, "source": "ff"}
    story.tell(START + 20 * DAY, "provider.usage", {**usage, "day": 20261005, "requests": 5}, "harbor")
    story.tell(START + 20 * DAY, "provider.usage", {**usage, "day": 20261007, "requests": 37, "held": 0, "account": "stray"}, "harbor")
    assert story.drop("provider.usage", day=20261009)
    story.exchange(START + 9 * DAY + 12 * HOUR, "cut", outcome="")
    story.tell(START + 9 * DAY + 13 * HOUR, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "cut")
    result = run(story, "PI-6.1")
    assert result.result == NO_DEVIATIONS and result.frozen
    rows = [dict(zip(result.frozen.unmatched_columns, row, strict=True)) for row in result.frozen.unmatched]
    found = [(row["what"], row["day"], row["ours"], row["theirs"]) for row in rows]
    assert found == [("requests", 20261005, 3, 5), ("not_held", 20261007, 0, 37), ("no_count", 20261009, 3, 0)]


def test_uninspected_exchanges_leave_the_population_and_are_counted() -> None:
    """An exchange with an image is no row of the redaction control and is listed by route."""
    story = company()
    story.exchange(START + DAY, "img", uninspected=1, decisions=[])
    result = run(story, "PR-1.1")
    assert result.result == NO_DEVIATIONS and result.frozen and result.frozen.unmatched == (("uninspected", 0, 1, "help"),)
