"""The demonstration, short: its history is made by the product, holds its three deviations, and is not replayed."""

import time
from pathlib import Path

import pytest

from affiant.kit.errors import BadInput
from affiant.testing.demo import Layout, Options, run
from affiant.testing.evidence import check_evidence, read_events


@pytest.mark.timeout(600)
def test_a_short_demonstration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Four days: the deviations are there because they were done; a second start adds no exchange and is quick."""
    monkeypatch.setenv("AFFIANT_UNLOCK", "file:/nowhere")  # the demonstration sets its own; this gives the old value back
    root = tmp_path / "demo"
    assert run(Options(root, days=4, exchanges=120, wait=False)) == 0
    said = capsys.readouterr().out
    assert "/link/" in said and "sk-aff-" in said and "stand-in" in said
    events = read_events(root / "home")
    changes = {event.ref: event.body for event in events if event.type == "change.activated"}
    approved = [event for event in events if event.type == "change.approved" and event.body["by"] == event.body["author"]]
    assert [changes[event.ref]["emergency"] for event in approved] == [1]
    usage = [event.body for event in events if event.type == "provider.usage"]
    assert {body["account"] for body in usage if body["held"] == 0} == {"harbor-lab"}
    assert sum(body["requests"] for body in usage if body["held"] == 0) == 14
    opened = [event.body for event in events if event.type == "probe.opened"]
    pledged = sum(event.type == "probe.pledged" for event in events)
    assert len(opened) == pledged < 4 * 4 and all(body["matched"] for body in opened)
    hours = [event.body["hour"] for event in events if event.type == "service.hour"]
    assert len(set(hours)) == len(hours) and 60 <= len(hours) < 90
    assert sum(event.type == "anchor.cosigned" for event in events) >= 60
    assert sum(event.type == "procedure.run" for event in events) >= 8
    closed = sum(event.type == "exchange.closed" for event in events)
    assert 90 <= closed <= 140
    check_evidence(root / "home", [], [])

    start = time.monotonic()
    assert run(Options(root, wait=False)) == 0
    assert "starting where it was" in capsys.readouterr().err
    assert time.monotonic() - start < 60
    again = read_events(root / "home")
    assert sum(event.type == "exchange.closed" for event in again) == closed and len(again) > len(events)


def test_another_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory that no demonstration made is refused, not emptied."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="something else"):
        Layout(tmp_path).load()
    with pytest.raises(BadInput):
        run(Options(tmp_path, wait=False, fresh=True))
    assert (tmp_path / "thesis.txt").read_text() == "mine"
