"""Each parser of outside bytes, fuzzed: a moment in every run, a minute each with coverage guidance in full runs."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.fuzz import __main__ as fuzz
from tests.fuzz.targets import TARGETS, attempt

ROOT = Path(__file__).parent.parent.parent
INPUTS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_answers_mutated_input_with_its_own_errors(name: str) -> None:
    """Seeds and a few of their mutations, the same ones each time, give values or the product's own errors."""
    target, rng = TARGETS[name], random.Random(7)
    for seed in target.seeds:
        attempt(target, seed)
    for _ in range(INPUTS):
        attempt(target, fuzz._mutated(rng, [*target.seeds], target.words))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_minute_of_fuzzing_each_finds_nothing() -> None:
    """With coverage guidance where atheris is installed, one parser a core; longer by AFFIANT_FUZZ_SECONDS."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(TARGETS, pool.map(_fuzzed, TARGETS), strict=True))
    failed = {name: done.stderr[-3000:] for name, done in found.items() if done.returncode != 0}
    assert not failed, "\n".join(f"{name}: {text}" for name, text in failed.items())


def _fuzzed(name: str) -> subprocess.CompletedProcess[str]:
    seconds = os.environ.get("AFFIANT_FUZZ_SECONDS", "60")
    engine = "atheris" if importlib.util.find_spec("atheris") else "random"
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", seconds, "--seed", "1", "--engine", engine]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
