"""Fuzzes one parser, or all: `python -m tests.fuzz NAME|all [--seconds 60] [--seed 1] [--engine atheris|random]`.

With atheris (`pip install atheris`) mutation follows coverage; without it a seeded mutator stands in and says so. Exit status: 0 nothing
found · 1 a finding (its input is written to `NAME` below `--keep DIR`) · 2 usage. Leaves out: what is fuzzed (`targets`).
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

MAX_BYTES = 70_000


def main() -> int:
    """Command line."""
    found = importlib.util.find_spec("atheris") is not None
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("name")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "affiant-fuzz-findings")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=("atheris", "random"), default="atheris" if found else "random")
    options = parser.parse_args()
    if options.name == "all":
        from tests.fuzz.targets import TARGETS, close

        close()
        return max(_child(name, options) for name in TARGETS)
    if options.engine == "atheris":
        return _atheris(options) if options.inside is not None else _guided(options)
    print("STAND-IN: no coverage guidance; install atheris for it.", file=sys.stderr)
    return _random(options)


def _command(name: str, options: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(options.seconds), "--seed", str(options.seed)]
    return [*command, "--engine", options.engine, "--keep", str(options.keep)]


def _child(name: str, options: argparse.Namespace) -> int:
    """One target in a process of its own."""
    begun = time.monotonic()
    done = subprocess.run(_command(name, options), capture_output=True, text=True, check=False)
    good = done.returncode == 0
    print(f"{name:12} {'nothing found' if good else 'FINDING'} in {time.monotonic() - begun:.0f} s", flush=True)
    if not good:
        print(done.stderr[-3000:])
    return 0 if good else 1


def _guided(options: argparse.Namespace) -> int:
    """libFuzzer ends the process that it runs in without tidying up: it gets one of its own, and this one tidies."""
    with tempfile.TemporaryDirectory(prefix="affiant-fuzz-") as folder:
        done = subprocess.run([*_command(options.name, options), "--inside", folder], check=False)
    return 0 if done.returncode == 0 else 1


def _keep(options: argparse.Namespace, data: bytes) -> None:
    options.keep.mkdir(parents=True, exist_ok=True)
    path = options.keep / options.name
    path.write_bytes(data)
    print(f"{options.name}: {path} holds the input.", file=sys.stderr)


def _atheris(options: argparse.Namespace) -> int:
    import atheris

    with atheris.instrument_imports(include=["affiant.proof", "affiant.ledger", "affiant.guards"]):
        from tests.fuzz import targets
    target, folder = targets.TARGETS[options.name], options.inside

    def one(data: bytes) -> None:
        try:
            targets.attempt(target, data)
        except BaseException:
            _keep(options, data)
            raise

    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words))
    flags = [f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-max_len={MAX_BYTES}", "-print_final_stats=1"]
    flags += ["-rss_limit_mb=2048", "-timeout=20", f"-artifact_prefix={folder}/"]
    if target.words:
        flags.append(f"-dict={words}")
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
    atheris.Fuzz()
    return 0


def _random(options: argparse.Namespace) -> int:
    from tests.fuzz import targets

    target, rng = targets.TARGETS[options.name], random.Random(options.seed)
    end, count = time.monotonic() + options.seconds, 0
    pool = [*target.seeds]
    while time.monotonic() < end:
        data = _mutated(rng, pool, target.words)
        count += 1
        try:
            targets.attempt(target, data)
        except BaseException:
            traceback.print_exc()
            _keep(options, data)
            targets.close()
            return 1
    targets.close()
    print(f"{options.name}: {count:,} inputs, nothing found.", file=sys.stderr)
    return 0


def _mutated(rng: random.Random, pool: list[bytes], words: tuple[bytes, ...]) -> bytes:
    data = bytearray(rng.choice(pool))
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
        elif kind == 2:
            del data[at : at + rng.randrange(1, 9)]
        elif kind == 3 and words:
            data[at:at] = rng.choice(words)
        elif kind == 4:
            other = rng.choice(pool)
            begin = rng.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + rng.randrange(1, 64)]
        else:
            data[at : at + 1] = rng.choice((b"\x00", b"\xff", b"\n", b'"', b"\\", b"9", b"-"))
    return bytes(data[:MAX_BYTES])


if __name__ == "__main__":
    sys.exit(main())
