"""Apply: first file, later files, and every kind of bad file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from records_world import COMPANY, world

from affiant.kit.errors import BadInput, Forbidden
from affiant.records import FaultyInput, parse_yaml


def test_the_first_apply_is_marked_bootstrap_and_in_force_at_once(tmp_path: Path) -> None:
    """After init the first file is activated, each change marked, built-in policies before what names them."""
    with world(tmp_path, None) as w:
        result = w.records.apply(COMPANY, "ann")
        assert result.bootstrap
        assert {each.state for each in result.planned} == {"activated"}
        assert [key.key.id for key in result.secrets] == ["k1"]
        assert result.secrets[0].secret.startswith("sk-aff-")
        assert all(event.body["bootstrap"] == 1 for event in w.events("change.activated"))
        assert {event.ref for event in w.events("policy.set")} == {"default", "strict", "measure"}
        assert w.events("model.approved")[0].body["approved_by"] == "bo"
        assert not w.events("change.approved")


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    """A second apply of a file in force writes no event and makes no key."""
    with world(tmp_path) as w:
        before, epoch = len(w.events()), w.records.epoch
        result = w.records.apply(COMPANY, "ann")
        assert {each.action for each in result.planned} == {"unchanged"}
        assert (len(w.events()), w.records.epoch, result.secrets) == (before, epoch, ())


def test_a_later_apply_only_proposes(tmp_path: Path) -> None:
    """After the first file nothing comes into force without another person, and a pending change is not proposed twice."""
    with world(tmp_path) as w:
        company = copy.deepcopy(COMPANY)
        company["models"].append({"id": "m2", "provider": "sim", "upstream": "two", "version": "2", "approved_by": "hal"})
        plan = w.records.apply(company, "cy", dry_run=True)
        assert [each.target for each in plan.planned if each.action == "create"] == ["m2"]
        assert not w.records.changes("proposed")
        result = w.records.apply(company, "cy")
        line = next(each for each in result.planned if each.target == "m2")
        assert (line.state, line.awaits, result.bootstrap) == ("proposed", "hal", False)
        assert "m2" not in {model.id for model in w.records.compile().models}
        again = next(each for each in w.records.apply(company, "cy").planned if each.target == "m2")
        assert (again.action, again.change) == ("pending", line.change)
        w.records.approve(line.change, "bo")
        w.records.activate(line.change, "cy")
        assert w.events("model.approved")[-1].body["approved_by"] == "bo"
        assert {each.action for each in w.records.apply(company, "cy").planned} == {"unchanged"}


def test_a_dry_run_of_the_first_file_leaves_it_the_first(tmp_path: Path) -> None:
    """A dry run writes nothing, and the next apply is still the bootstrap."""
    with world(tmp_path, None) as w:
        assert w.records.apply(COMPANY, "ann", dry_run=True).dry_run
        assert (w.events(), w.records.bootstrapped) == ([], False)


def test_approved_by_must_be_another_person_with_the_role(tmp_path: Path) -> None:
    """After the first file `approved_by` names somebody else who may approve; all faults are said at once."""
    with world(tmp_path) as w:
        models = [
            {"id": f"x{number}", "provider": "sim", "upstream": "u", "version": "1", "approved_by": who}
            for number, who in enumerate(("bo", "gus", "nobody", "hal"))
        ]
        with pytest.raises(FaultyInput) as caught:
            w.records.apply({"models": models}, "bo")
        assert [fault.path for fault in caught.value.faults] == [f"models[{number}].approved_by" for number in (0, 1, 2)]


def test_apply_needs_the_right_to_propose_each_change(tmp_path: Path) -> None:
    """A developer's file with a new person in it is refused whole, and the refusal is an event."""
    with world(tmp_path) as w:
        company = {
            "people": [{"id": "new", "roles": ["auditor"]}],
            "models": [{"id": "m2", "provider": "sim", "upstream": "u", "version": "1"}],
        }
        with pytest.raises(Forbidden, match=r"change\.propose:person"):
            w.records.apply(company, "cy")
        with pytest.raises(Forbidden, match="`apply`"):
            w.records.apply(company, "gus")
        assert not w.records.changes("proposed")
        assert [event.body["person"] for event in w.events("access.denied")] == ["cy", "gus"]


def test_a_key_waits_for_its_owner(tmp_path: Path) -> None:
    """A key of a person who is only proposed is not made yet."""
    with world(tmp_path) as w:
        company = {"people": [{"id": "new", "roles": ["consumer"]}], "keys": [{"id": "k2", "owner": "new", "models": ["chat"]}]}
        result = w.records.apply(company, "ann")
        assert [(each.target, each.action) for each in result.planned] == [("new", "create"), ("k2", "waits")]
        w.records.approve(result.planned[0].change, "bo")
        w.records.activate(result.planned[0].change, "ann")
        again = w.records.apply(company, "ann")
        assert [key.key.id for key in again.secrets] == ["k2"]


def test_features_of_a_provider_are_listed_in_its_record(tmp_path: Path) -> None:
    """In the event and in what workers get; a record that names none has the digest that it had."""
    with world(tmp_path) as w:
        before = w.records.record("provider", "sim")
        assert "betas" not in before.content and "betas" not in w.events("provider.set")[0].body
        listed = COMPANY["providers"][0] | {"betas": ["responses=v1", "context-1m-2025-08-07"]}
        w.in_force("provider", "sim", {name: value for name, value in listed.items() if name != "id"})
        assert w.events("provider.set")[-1].body["betas"] == ["context-1m-2025-08-07", "responses=v1"]
        assert [each.betas for each in w.records.compile().providers if each.id == "sim"] == [("context-1m-2025-08-07", "responses=v1")]


_FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown section": ({"modles": []}, "modles", "not a section"),
    "unknown field": ({"people": [{"id": "x", "roles": ["admin"], "mail": "x"}]}, "people[0].mail", "not a known field"),
    "e-mail as id": ({"people": [{"id": "x@y.example", "roles": ["admin"]}]}, "people[0].id", "e-mail"),
    "reserved id": ({"people": [{"id": "local", "roles": ["admin"]}]}, "people[0].id", "reserved"),
    "unknown role": ({"people": [{"id": "x", "roles": ["king"]}]}, "people[0].roles[0]", "unknown"),
    "twice": ({"people": [{"id": "x", "roles": ["admin"]}] * 2}, "people[1]", "already"),
    "literal secret": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://public.example", "secret_ref": "sk-live-123"}]},
        "providers[0].secret_ref", "by reference",
    ),
    "beta that is no name": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://public.example", "secret_ref": "env:X", "betas": ["a b"]}]},
        "providers[0].betas[0]", "name of a feature",
    ),
    "too many betas": (
        {"providers": [
            {"id": "p", "kind": "openai", "base_url": "https://public.example", "secret_ref": "env:X",
             "betas": [f"b{number}" for number in range(33)]},
        ]},
        "providers[0].betas", "at most 32",
    ),
    "user in URL": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://u:p@public.example", "secret_ref": "env:X"}]},
        "providers[0].base_url", "user or password",
    ),
    "private address": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://inside.example", "secret_ref": "env:X"}]},
        "providers[0].base_url", "network: private",
    ),
    "loopback address": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://127.0.0.1", "secret_ref": "env:X"}]},
        "providers[0].base_url", "not public",
    ),
    "mapped loopback": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://[::ffff:127.0.0.1]", "secret_ref": "env:X"}]},
        "providers[0].base_url", "not public",
    ),
    "metadata address": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "http://meta.example", "secret_ref": "env:X", "network": "private"}]},
        "providers[0].base_url", "never be a provider",
    ),
    "plain http": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "http://public.example", "secret_ref": "env:X"}]},
        "providers[0].base_url", "https",
    ),
    "unresolvable": (
        {"providers": [{"id": "p", "kind": "openai", "base_url": "https://nowhere.example", "secret_ref": "env:X"}]},
        "providers[0].base_url", "does not resolve",
    ),
    "unknown provider": ({"models": [{"id": "m", "provider": "no", "upstream": "u", "version": "1"}]}, "models[0].provider", "not a known"),
    "unknown model": ({"routes": [{"id": "r", "models": ["no"]}]}, "routes[0].models[0]", "not a known model"),
    "unknown policy": ({"routes": [{"id": "r", "models": ["m1"], "policy": "no"}]}, "routes[0].policy", "not a known policy"),
    "unknown owner": ({"keys": [{"id": "k", "owner": "no", "models": ["chat"]}]}, "keys[0].owner", "no known person"),
    "unknown scope": ({"keys": [{"id": "k", "owner": "cy", "models": ["no"]}]}, "keys[0].models[0]", "neither a route nor a model"),
    "key exists otherwise": ({"keys": [{"id": "k1", "owner": "bo", "models": ["chat"]}]}, "keys[0]", "exists with another"),
    "unknown guard": ({"policies": [{"id": "p", "guards": {"magic": {"action": "block"}}}]}, "policies[0].guards.magic", "not a guard"),
    "bad threshold": (
        {"policies": [{"id": "p", "guards": {"injection": {"action": "block", "threshold": 1.5}}}]},
        "policies[0].guards.injection.threshold", "share",
    ),
    "spend limit": ({"limits": [{"scope": "all", "unit": "spend", "window": "1m", "value": 1}]}, "limits[0].unit", "not enforced"),
    "bad window": ({"limits": [{"scope": "all", "unit": "requests", "window": "soon", "value": 1}]}, "limits[0].window", "length of time"),
    "unknown key in limit": (
        {"limits": [{"scope": "key:no", "unit": "requests", "window": 60, "value": 1}]}, "limits[0].scope", "not a known key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _FAULTS)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, name: str) -> None:
    """Each fault is named with its path, and nothing is changed."""
    document, path, text = _FAULTS[name]
    with world(tmp_path) as w:
        before = len(w.events())
        with pytest.raises(FaultyInput) as caught:
            w.records.apply(document, "ann")
        assert any(fault.path == path and text in fault.text for fault in caught.value.faults), caught.value
        assert "sk-live-123" not in str(caught.value)
        assert len(w.events()) == before


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    """A file with one of each fault reports every one of them in one go."""
    merged: dict[str, list[Any]] = {}
    for document, _, _ in _FAULTS.values():
        for section, entries in document.items():
            merged.setdefault(section, []).extend(copy.deepcopy(entries))
    with world(tmp_path) as w:
        with pytest.raises(FaultyInput) as caught:
            w.records.apply(merged, "ann")
        texts = " ".join(fault.text for fault in caught.value.faults)
        assert all(text in texts for _, _, text in _FAULTS.values())


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: 1\na: 2", "a: &x [1]\nb: *x", "a: !!python/object/apply:os.system [x]", "\x00", "? [a]\n: b", "a: " + "[" * 3000],
)
def test_bad_yaml_is_refused(text: str) -> None:
    """Broken YAML, repeated keys, aliases, tags and depth are refused in words."""
    with pytest.raises(BadInput, match="cannot be read"):
        parse_yaml(text, "x.yaml")


def test_yaml_scalars_stay_what_was_written() -> None:
    """Dates, NO and 1.10 are texts; null is null."""
    assert parse_yaml("{v: 2024-08-06, n: NO, f: 1.10, e: null}", "x") == {"v": "2024-08-06", "n": "NO", "f": "1.10", "e": None}


def test_limits_and_thresholds_are_read_in_words_people_write(tmp_path: Path) -> None:
    """Windows in units, thresholds as share or percent; a limit without an id gets one."""
    with world(tmp_path) as w:
        document = parse_yaml(
            "limits: [{scope: 'key:*', unit: tokens, window: 1h, value: 1000}]\n"
            "commitments: [{id: a, text: t, threshold: 99.9}, {id: b, text: t, threshold: '99.9 %'}, {id: c, text: t, threshold: 0.999}]",
            "x",
        )
        result = w.records.apply(document, "ann")
        assert [each.target for each in result.planned] == ["key:each/tokens/3600s", "a", "b", "c"]
        assert {w.records.change(each.change).content["per_million"] for each in result.planned[1:]} == {999_000}
