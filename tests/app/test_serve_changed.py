"""A home that an older program made: starting says which controls differ, and a person puts them into force while it serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.records import Records
from affiant.testing.world import World


def test_starting_names_changed_controls_until_a_person_adopts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error names the control at each start until it is adopted over the running API; the entry says by whom."""
    with World(tmp_path) as world:
        assert world.stop_serving() == 0
        monkeypatch.setenv("AFFIANT_UNLOCK", world.environment["AFFIANT_UNLOCK"])
        home = open_home(world.home)
        records = Records(home, open_keyring(home), open_clock())
        now = next(each for each in records.adopted_controls() if each.id == "PI-5.1")
        records.adopt_controls([("PI-5.1", now.version + 7, "0" * 64, list(now.schedule))])
        records.close()

        log = tmp_path / "world.log"
        before = log.stat().st_size
        world.start()
        said = log.read_text(encoding="utf-8")[before:]
        assert "PI-5.1: this program ships another version" in said and "control adopt" in said
        done = json.loads(world.cli("control", "adopt", "--all", "--as", "ann").stdout)
        assert [each["id"] for each in done["adopted"]] == ["PI-5.1"]
        assert world.stop_serving() == 0
        entries = [json.loads(line)["entry"] for line in world.cli("ledger", "tail", "--from", "0").stdout.splitlines()]
        newest = [entry for entry in entries if entry["type"] == "control.adopted"][-1]
        assert (newest["ref"], newest["actor"]) == ("PI-5.1", "person:ann")

        before = log.stat().st_size
        world.start()
        assert "another version" not in log.read_text(encoding="utf-8")[before:]
