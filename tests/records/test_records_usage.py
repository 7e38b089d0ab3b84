"""A provider's own count: forms, idempotence, and bad rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from records_world import world

from affiant.kit.errors import Forbidden
from affiant.records import FaultyInput

CSV = b"provider,account,day,requests,tokens,held\nsim,main,2025-12-30,10,500,1\nsim,stray,20251230,3,,0\n"


def test_a_file_is_recorded_once(tmp_path: Path) -> None:
    """Each row becomes an event; the same file, or the same counts in another form, record nothing more."""
    with world(tmp_path) as w:
        done = w.records.import_usage(CSV, "di")
        assert (done.recorded, done.known) == (2, 0)
        assert [event.body for event in w.events("provider.usage")] == [
            {"account": "main", "day": 20251230, "requests": 10, "tokens": 500, "held": 1, "source": done.source},
            {"account": "stray", "day": 20251230, "requests": 3, "held": 0, "source": done.source},
        ]
        assert w.records.import_usage(CSV, "di").recorded == 0
        rows = [
            {"provider": "sim", "account": "main", "day": "20251230", "requests": 10, "tokens": 500},
            {"provider": "sim", "account": "stray", "day": 20251230, "requests": 4, "held": 0},
        ]
        again = w.records.import_usage(json.dumps(rows).encode(), "di")
        assert (again.recorded, again.known) == (1, 1)
        assert w.events("provider.usage")[-1].body["requests"] == 4


_BAD = {
    "no header": b"sim,main,20251230,10\n",
    "unknown column": b"provider,account,day,requests,colour\nsim,main,20251230,1,red\n",
    "bad day": b"provider,account,day,requests\nsim,main,20251330,10\n",
    "future day": b"provider,account,day,requests\nsim,main,20260102,10\n",
    "negative": b"provider,account,day,requests\nsim,main,20251230,-1\n",
    "fraction": b"provider,account,day,requests\nsim,main,20251230,1.5\n",
    "missing cell": b"provider,account,day,requests\nsim,main,20251230\n",
    "too many cells": b"provider,account,day,requests\nsim,main,20251230,1,2\n",
    "twice": b"provider,account,day,requests\nsim,main,20251230,1\nsim,main,2025-12-30,1\n",
    "unknown provider": b"provider,account,day,requests\nother,main,20251230,1\n",
    "e-mail account": b"provider,account,day,requests\nsim,a@b.example,20251230,1\n",
    "held": b"provider,account,day,requests,held\nsim,main,20251230,1,maybe\n",
    "empty": b"",
    "only a header": b"provider,account,day,requests\n",
    "not text": b"\xff\xfe\x00",
    "broken JSON": b'[{"provider": ',
    "JSON of another form": b'{"rows": 3}',
    "JSON rows": b'[1, {"provider": "sim"}]',
}


@pytest.mark.parametrize("name", _BAD)
def test_a_bad_file_records_nothing(tmp_path: Path, name: str) -> None:
    """Bad rows are named and nothing is recorded, not even the good rows."""
    with world(tmp_path) as w:
        before = len(w.events())
        data = _BAD[name] + (b"sim,good,20251230,1\n" if name in ("bad day", "twice", "unknown provider") else b"")
        with pytest.raises(FaultyInput):
            w.records.import_usage(data, "di")
        assert len(w.events()) == before


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    """Two bad rows give two faults with their lines."""
    with world(tmp_path) as w:
        data = b"provider,account,day,requests\nsim,a,x,1\nsim,b,20251230,1\nsim,c,20251230,y\n"
        with pytest.raises(FaultyInput) as caught:
            w.records.import_usage(data, "di", "usage.csv")
        assert [fault.path for fault in caught.value.faults] == ["line 2", "line 4"]
        with pytest.raises(Forbidden):
            w.records.import_usage(CSV, "cy")
