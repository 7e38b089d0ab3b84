"""`affiant ledger synth`: a home that every other command takes as it takes any other."""

from __future__ import annotations

import json
from pathlib import Path

from affiant.testing.world import World


def test_controls_run_and_a_package_verifies_over_a_synthetic_ledger(tmp_path: Path) -> None:
    """The planted breaks are found, new events join the ledger, and what is built verifies as self-consistent."""
    world = World(tmp_path)
    made = json.loads(world.cli("ledger", "synth", "--events", "8000", "--days", "40", "--home", str(world.home)).stdout)
    assert made["origin"].startswith("synthetic/") and made["exchanges"] == 4000
    ran = world.cli("control", "run", "--all", "--period", "2025-01-01..2025-01-31", check=False)
    assert ran.returncode in (0, 1), ran.stderr
    runs = {each["control"]: each for each in json.loads(f"[{','.join(ran.stdout.splitlines())}]")}
    broken = {plant["breaks"] for plant in made["planted"] if plant["exchange"] < 3000}
    assert broken == {"version", "label", "redaction"}
    assert all(runs[control]["deviations"] for control in ("GOV-3.1", "CO-1.1", "PR-1.1"))
    package = tmp_path / "month.affidavit"
    built = world.cli("affidavit", "build", "--period", "2025-01-01..2025-01-31", "--out", str(package), check=False)
    assert built.returncode == 0, built.stderr
    assert world.cli("affidavit", "verify", str(package), check=False).returncode == 3
    assert json.loads(world.cli("ledger", "verify").stdout)["good"] is True
