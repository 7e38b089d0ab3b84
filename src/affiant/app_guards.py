"""Guards as people try them in the console: models are loaded when the first text is tried, and shared from then on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from affiant.console.context import Trial
from affiant.gateway.policies import read_policy
from affiant.guards import GuardChain, Inspection, inspect
from affiant.kit.errors import NotFound
from affiant.records import BUILT_IN, Records, built_in_policies, policy_snap
from affiant.records.model import NO_TENANT
from affiant.weights import load_toolbox, versions

_log = logging.getLogger("affiant.control")


class Bench:
    """Guards over texts, without an exchange.

    Args:
        records: policies in force.
        load: makes the chain.
    """

    def __init__(self, records: Records, load: Callable[[], GuardChain] | None = None) -> None:
        self._records = records
        self._load = load or (lambda: GuardChain(toolbox=load_toolbox(_log.info, records.home.derived)))
        self._chain: GuardChain | None = None
        self._lock = threading.Lock()

    def versions(self) -> Sequence[tuple[str, str]]:
        """(guard, version) of what each works with here."""
        return versions()

    def policies(self) -> Sequence[str]:
        """Policies in force by id, then the built-in ones that are not."""
        known = [record.id for record in self._records.records("policy")]
        return [*known, *(name for name in BUILT_IN if name not in known)]

    def tenants(self) -> Sequence[str]:
        """Tenants that a key or an override of a policy names."""
        keys, policies = self._records.keys(), self._records.records("policy")
        named = {key.tenant for key in keys} | {each["tenant"] for record in policies for each in record.content.get("overrides", [])}
        return sorted(named - {"", NO_TENANT})

    def inspect(self, trial: Trial) -> Inspection:
        """What guards decide about a text.

        Raises:
            NotFound: there is no such policy.
        """
        content = next((record.content for record in self._records.records("policy") if record.id == trial.policy), None)
        content = content or built_in_policies().get(trial.policy)
        if content is None:
            raise NotFound(f"There is no policy `{trial.policy[:60]}`.", "Choose one of those in the list.")
        with self._lock:
            if self._chain is None:
                self._chain = self._load()
        policy = read_policy(policy_snap(trial.policy, content), trial.risk, trial.tenant)
        return inspect(trial.text, trial.role, policy, self._chain, trial.context, label=trial.label, tenant=trial.tenant)
