"""What policies may name is what guards find, and the built-in policies name it all."""

from __future__ import annotations

import pytest

from affiant.gateway.policies import read_policy
from affiant.guards import CONTROLS, Action
from affiant.guards.builtin import DETECTORS
from affiant.guards.detectors import pii
from affiant.guards.types import NAMES, NOT_IDENTIFYING, action_of
from affiant.records import BUILT_IN, built_in_policies, guardwords, policy_snap


def test_records_know_the_guards_and_types_that_there_are() -> None:
    """The words of records and of guards are the same, though neither imports the other."""
    assert set(guardwords.GUARDS) == set(CONTROLS)
    found = {pattern.type.partition("/")[0] for detector in pii.DETECTORS for pattern in detector.patterns} | set(NAMES)
    assert found <= set(guardwords.PII_TYPES), found - set(guardwords.PII_TYPES)
    assert set(guardwords.NOT_IDENTIFYING) == set(NOT_IDENTIFYING)
    assert all("/" in p.type or p.type in guardwords.PII_TYPES for d in DETECTORS for p in d.patterns)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_policies_say_what_they_do_about_every_type(name: str) -> None:
    """Nothing is left to the defaults of a later version."""
    policy = read_policy(policy_snap(name, built_in_policies()[name]))
    assert set(policy.guards["pii"].types) == set(guardwords.PII_TYPES)


def test_a_type_is_decided_by_its_name_then_its_family_then_the_rule() -> None:
    """`NATIONAL_ID/de` follows `NATIONAL_ID`; what is common in ordinary work is allowed until it is named."""
    rule = read_policy(policy_snap("default", built_in_policies()["default"])).guards["pii"]
    assert action_of(rule, "NATIONAL_ID/de") is Action.REDACT
    assert action_of(rule, "URL") is Action.ALLOW
    bare = read_policy(
        policy_snap("x", {"guards": {"pii": {"action": "block", "how": "", "threshold_ppm": 1, "types": {}}}, "on_evidence_loss": "refuse"})
    )
    assert action_of(bare.guards["pii"], "EMAIL") is Action.BLOCK and action_of(bare.guards["pii"], "PERSON") is Action.ALLOW
