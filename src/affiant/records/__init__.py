"""What exists and what is permitted: people, keys, changes and governed records over `HOME/records.db`.

Every verb is one transaction that commits rows and finished event bytes (outbox) together. Workers import `snapshot` only.
"""

from affiant.records import roles, snapshot
from affiant.records.content import canonical, digest_of, redacted_types
from affiant.records.door import Records
from affiant.records.faults import Fault, FaultyInput
from affiant.records.model import (
    KINDS,
    LOCAL,
    NO_TENANT,
    Adopted,
    ApplyResult,
    Approval,
    Change,
    Governed,
    Key,
    NewKey,
    Person,
    Planned,
    Session,
    SignIn,
    UsageResult,
)  # fmt: skip
from affiant.records.policies import BUILT_IN, built_in_policies, load_policy_file, policy_snap
from affiant.records.server import ServiceView, SnapshotServer
from affiant.records.unit import VIA
from affiant.records.yamlfile import load_yaml, parse_yaml

__all__ = [
    "BUILT_IN",
    "KINDS",
    "LOCAL",
    "NO_TENANT",
    "VIA",
    "Adopted",
    "ApplyResult",
    "Approval",
    "Change",
    "Fault",
    "FaultyInput",
    "Governed",
    "Key",
    "NewKey",
    "Person",
    "Planned",
    "Records",
    "ServiceView",
    "Session",
    "SignIn",
    "SnapshotServer",
    "UsageResult",
    "built_in_policies",
    "canonical",
    "digest_of",
    "load_policy_file",
    "load_yaml",
    "parse_yaml",
    "policy_snap",
    "redacted_types",
    "roles",
    "snapshot",
]
