"""A large ledger, read: start-up, any entry with its proof, exchanges by id, the populations of all controls, and bytes an event.

Each home that is named is measured in processes of its own, so that peaks of memory are each one's; `--events N` makes synthetic homes
first. `python -m bench scale --events 1000000 --events 3000000`. With `--packages`, every control is run too, and a package built in each
mode and verified by Python alone; that writes to the home. Leaves out: writing (`ledger`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from affiant.affidavit import build_verifier
from affiant.affidavit.gather import MAX_ENTRIES
from affiant.assurance import Evidence, Period, opening_of
from affiant.catalog import load
from affiant.kit.home import open_home
from affiant.ledger import LedgerReader

PER_DAY = 100_000
TARGETS = {
    "start_s": 2.0, "entry_p99_ms": 50.0, "exchange_p99_ms": 50.0, "worst_query_s": 10.0, "all_queries_s": 30.0, "peak_mib": 1_536.0,
    "archived_bytes": 350.0, "run_peak_mib": 700.0, "full_build_peak_mib": 700.0, "full_verify_peak_mib": 700.0, "full_verify_s": 180.0,
}  # fmt: skip
_WRITER = """
import sys
from pathlib import Path
from affiant.kit.clock import SystemClock
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import run_writer
home = open_home(Path(sys.argv[1]))
run_writer(home, open_keyring(home), SystemClock(), ready=lambda: print("ready", flush=True))
"""
_DAY_US = 86_400_000_000


def lookups(home: Path, count: int = 300) -> dict[str, float]:
    """Milliseconds of opening the ledger, of entries with their proofs, and of exchanges by id, at random places."""
    began = time.perf_counter()
    reader = LedgerReader(open_home(home))
    opened = reader.size
    opening = time.perf_counter() - began
    rng, waits, finds = random.Random(1), [], []
    for _ in range(count):
        index = rng.randrange(opened)
        began = time.perf_counter()
        event = reader.event(index)
        reader.prove(index)
        waits.append(time.perf_counter() - began)
        if event.type.startswith("exchange."):
            began = time.perf_counter()
            if index not in reader.find(event.ref):
                raise RuntimeError(f"{event.ref} is not found at {index}")
            finds.append(time.perf_counter() - began)
    first = finds[0]
    return {
        "open_reader_s": opening, "entry_p50_ms": statistics.median(waits) * 1e3, "entry_p99_ms": _high(waits) * 1e3,
        "exchange_first_ms": first * 1e3, "exchange_p50_ms": statistics.median(finds) * 1e3, "exchange_p99_ms": _high(finds[1:]) * 1e3,
    }  # fmt: skip


def queries(home: Path) -> dict[str, float]:
    """Seconds for the population and procedure of each control over the whole ledger, and the peak of memory."""
    reader = LedgerReader(open_home(home))
    catalog = load()
    first, last = reader.event(0).at_us, reader.event(reader.size - 1).at_us
    period = Period(first - first % _DAY_US, last - last % _DAY_US)
    found: dict[str, float] = {"entries": reader.size}
    began = time.perf_counter()
    with Evidence(reader, view_from=opening_of(reader, period.from_us)) as evidence:
        found["evidence_s"] = time.perf_counter() - began
        for control in catalog.controls.values():
            assert control.population is not None
            params = {**control.params, "from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
            began = time.perf_counter()
            evidence.prepare(period)
            weighed = evidence.weigh(control.population.query, control.procedure, params)
            found[f"{control.id}_s"] = time.perf_counter() - began
            found[f"{control.id}_rows"] = weighed.rows
    times = [value for name, value in found.items() if name.endswith("_s") and name != "evidence_s"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | {"worst_query_s": max(times), "all_queries_s": sum(times), "peak_mib": peak}


def spent(name: str, command: Sequence[str], good: Sequence[int]) -> dict[str, float]:
    """Wall seconds, CPU seconds and peak MiB of a command and the processes that it started.

    Raises:
        RuntimeError: it ended otherwise than in `good`.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in good:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read()[-2000:].decode(errors='replace')}")
    wall = time.perf_counter() - began
    return {f"{name}_s": wall, f"{name}_cpu_s": used.ru_utime + used.ru_stime, f"{name}_peak_mib": used.ru_maxrss / 1024}


def packages(home: Path) -> dict[str, float]:
    """Every control run over the whole ledger, then a package in each mode, built and verified."""
    reader = LedgerReader(open_home(home))
    first, last = reader.event(0).at_us, reader.event(reader.size - 1).at_us
    period = str(Period(first - first % _DAY_US, last - last % _DAY_US))
    affiant = [sys.executable, "-m", "affiant"]
    found = spent("run", [*affiant, "control", "run", "--all", "--period", period, "--home", str(home)], (0, 1, 3))
    with tempfile.TemporaryDirectory(prefix="affiant-scale-") as folder:
        verifier = Path(folder) / "verify.pyz"
        build_verifier(verifier)
        for mode in ("full", "sample"):
            package = Path(folder) / mode
            build = [*affiant, "affidavit", "build", "--period", period, "--mode", mode, "--out", str(package), "--home", str(home)]
            if mode == "full" and reader.size > MAX_ENTRIES:
                continue
            found |= spent(f"{mode}_build", build, (0,))
            found[f"{mode}_bytes"] = package.stat().st_size
            found |= spent(f"{mode}_verify", [sys.executable, "-I", str(verifier), str(package)], (0, 3))
            package.unlink()
    return found


def start_s(home: Path) -> float:
    """Seconds until the writer of a home is ready, in a process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(home)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the writer did not start")
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def sizes(home: Path) -> dict[str, float]:
    """Bytes an event, by where they lie."""
    entries = LedgerReader(open_home(home)).size
    archive, tiles, parquet = (_bytes(home / name) for name in ("archive", "ledger", "derived/parquet"))
    return {
        "archive_bytes": archive / entries, "tiles_bytes": tiles / entries, "parquet_bytes": parquet / entries,
        "archived_bytes": (archive + tiles + parquet) / entries,
    }  # fmt: skip


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _high(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def measure(home: Path, with_packages: bool = False) -> dict[str, float]:
    """All figures of one home, each kind in a process of its own."""
    found: dict[str, float] = {}
    for kind in ("queries", "lookups"):
        command = [sys.executable, "-m", "bench.ledger_scale", "--only", kind, "--home", str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        found |= json.loads(done.stdout)
    found |= {"start_s": start_s(home)} | sizes(home)
    return found | packages(home) if with_packages else found


@contextlib.contextmanager
def made(events: int, folder: Path) -> Iterator[Path]:
    """A synthetic home with its Parquet copy."""
    home = folder / f"home-{events}"
    for command in (
        ["ledger", "synth", "--home", str(home), "--events", str(events), "--days", str(max(2, events // PER_DAY))],
        ["ledger", "rebuild", "--home", str(home)],
    ):
        subprocess.run([sys.executable, "-m", "affiant", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield home


def table(columns: Sequence[dict[str, float]]) -> str:
    """One column a home."""
    lines = []
    for name in columns[0]:
        target = TARGETS.get(name)
        figures = [column[name] for column in columns if name in column]
        cells = "".join(f"{column.get(name, float('nan')):>16,.2f}" for column in columns)
        words = f"   at most {target:g}: {'met' if max(figures) <= target else 'NOT met'}" if target else ""
        lines.append(f"{name:20}{cells}{words}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Make what is to be made, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__)
    parser.add_argument("--home", type=Path, action="append", default=[], help="a home that is there; its writer is started once")
    parser.add_argument("--events", type=int, action="append", default=[], help="make a synthetic home of this size")
    parser.add_argument("--only", choices=["queries", "lookups"], help="one kind, as JSON, in this process")
    parser.add_argument("--packages", action="store_true", help="run every control, build and verify packages; writes to the home")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps({"queries": queries, "lookups": lookups}[options.only](options.home[0])))
        return 0
    columns: list[dict[str, Any]] = [measure(home, options.packages) for home in options.home]
    with tempfile.TemporaryDirectory(prefix="affiant-scale-") as folder:
        for events in options.events or ([] if options.home else [300_000, 1_000_000]):
            with made(events, Path(folder)) as home:
                columns.append(measure(home, options.packages))
    print(json.dumps(columns, indent=1) if options.json else table(columns))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
