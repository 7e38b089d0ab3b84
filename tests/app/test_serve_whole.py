"""The main job with real processes: a request becomes evidence, a control run, and a package that verifies offline."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from affiant.testing.world import World


def entries(world: World) -> list[dict[str, object]]:
    """Every entry of the world's ledger, decoded."""
    done = world.cli("ledger", "tail", "--from", "0")
    return [json.loads(line)["entry"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_becomes_evidence_a_control_run_and_an_affidavit(tmp_path: Path, workers: int) -> None:
    """Init, apply, serve, one exchange, every control, a package; its own verifier says self-consistent, not anchored."""
    with World(tmp_path, workers=workers) as world:
        answer = world.chat("Write to ana.ruiz@example.com about her order.")
        assert answer.status == 200, answer.body
        exchange = answer.headers["x-affiant-exchange"]
        refused = world.chat("hello", key="sk-nobody")
        assert refused.status == 401

        shown = [json.loads(line) for line in world.cli("ledger", "show", "--exchange", exchange).stdout.splitlines()]
        assert [entry["type"] for entry in shown] == ["exchange.opened", "exchange.closed"]
        assert "ana.ruiz" not in json.dumps(entries(world))

        day = time.strftime("%Y-%m-%d", time.gmtime())
        ran = world.cli("control", "run", "--all", "--period", f"{day}..{day}", "--as", "ann", check=False)
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        assert ran.returncode in (0, 1, 3) and lines, ran.stderr
        assert {line["control"] for line in lines} >= {"GOV-3.1", "PR-1.1", "PI-6.1", "CO-1.1"}
        by_id = {line["control"]: line for line in lines}
        assert by_id["GOV-3.1"]["result"] == "no deviations noted"
        assert by_id["PR-1.1"]["population"]["rows"] >= 1

        package = tmp_path / "day.affidavit"
        world.cli("affidavit", "build", "--period", f"{day}..{day}", "--out", str(package), "--as", "ann")
        assert zipfile.is_zipfile(package)
        verified = world.cli("affidavit", "verify", str(package), check=False)
        assert verified.returncode == 3, verified.stdout + verified.stderr
        assert world.cli("ledger", "verify").returncode == 0
        assert len(world.pids()["workers"]) == workers
        assert world.stop_serving() == 0
        assert not (world.home / "run" / "supervisor.json").exists()
        verifier = tmp_path / "verify.pyz"
        subprocess.run([sys.executable, "-m", "affiant.affidavit.pyz", str(verifier)], check=True, capture_output=True)
        alone = subprocess.run([sys.executable, "-I", str(verifier), str(package)], capture_output=True, text=True, check=False)
        assert alone.returncode == 3, alone.stdout
