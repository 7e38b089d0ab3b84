"""The verifier as an outsider has it: one file, a bare interpreter, another directory."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from affidavit_factory import DAY, FROM, SECOND, TO, a_world, unpack

from affiant import proof
from affiant.affidavit import build_verifier
from affiant.kit.errors import BadInput, Conflict, LedgerFault
from affiant.proof import canonical
from affiant.proof.check import verify_file


def old_python() -> list[str]:
    """The oldest interpreter here that the verifier must run on, else this one without its packages."""
    candidates = [shutil.which("python3.9") or "", *(str(path) for path in Path.home().glob(".pyenv/versions/3.9.*/bin/python"))]
    for found in filter(None, candidates):
        if subprocess.run([found, "-I", "-c", "import sqlite3"], capture_output=True, check=False, env={}).returncode == 0:
            return [found, "-I"]
    return [sys.executable, "-I", "-S"]


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with package, trust file and verifier."""
    root = tmp_path_factory.mktemp("handed")
    with a_world(root / "home", origin="demo/northwind", spoil=True) as world:
        world.build(root / "p.affidavit")
        (root / "trust").write_text(world.trust)
    build_verifier(root / "verify.pyz")
    yield root


def run(handed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    elsewhere = handed / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    command = [*old_python(), str(handed / "verify.pyz"), *arguments]
    return subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=120, check=False, env={})


def test_a_bare_interpreter_recomputes_a_package(handed: Path) -> None:
    """With nothing installed, the numbered argument ends well, and says what it does not show."""
    done = run(handed, str(handed / "p.affidavit"), "--trust", str(handed / "trust"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DEMONSTRATION" in done.stdout and "GOOD" in done.stdout and "First outside anchor" in done.stdout
    assert "PI-5.1 recomputed" in done.stdout and "Not shown" in done.stdout
    assert done.stderr == ""


def test_exit_codes_tell_good_lie_bad_input_and_not_anchored(handed: Path) -> None:
    """0, 1, 2 and 3 mean the same as everywhere, also as JSON."""
    package = str(handed / "p.affidavit")
    assert run(handed, package).returncode == 3
    (handed / "broken.affidavit").write_bytes(Path(package).read_bytes()[:-30])
    assert run(handed, str(handed / "broken.affidavit")).returncode == 2
    assert run(handed, package, "--trust", str(handed / "nothing")).returncode == 2
    assert run(handed).returncode == 2
    data = bytearray(Path(package).read_bytes())
    data[5000] ^= 1
    (handed / "changed.affidavit").write_bytes(data)
    assert run(handed, str(handed / "changed.affidavit")).returncode == 1
    report = json.loads(run(handed, package, "--json").stdout)
    assert report["exit"] == 3 and len(report["controls"]) == 8 and report["facts"]["demo"] == 1
    assert report["steps"][3]["state"] == "open"


def test_any_flipped_byte_is_noticed(handed: Path) -> None:
    """Wherever one bit of the file is changed, the package is not good any more."""
    good = (handed / "p.affidavit").read_bytes()
    trust = (handed / "trust").read_text()
    step = max(1, len(good) // 60)
    for position in range(3, len(good), step):
        data = bytearray(good)
        data[position] ^= 0x10
        (handed / "flip.affidavit").write_bytes(data)
        report = verify_file(str(handed / "flip.affidavit"), trust)
        # Bits of the archive's own bookkeeping (times, systems) say nothing about any file; content must be equal where it passes.
        if report.exit_code == 0:
            assert unpack(handed / "flip.affidavit") == unpack(handed / "p.affidavit")


def test_the_verifier_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    """Two builds are equal bit for bit."""
    assert build_verifier(tmp_path / "a.pyz") == build_verifier(tmp_path / "b.pyz")
    assert (tmp_path / "a.pyz").read_bytes() == (tmp_path / "b.pyz").read_bytes()
    command = [sys.executable, "-m", "affiant.affidavit.pyz", str(tmp_path / "c.pyz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "" and (tmp_path / "c.pyz").read_bytes() == (tmp_path / "a.pyz").read_bytes()


def test_the_verifier_imports_nothing_but_the_standard_library() -> None:
    """Each file parses as Python 3.9 and imports only the standard library and its own room."""
    for path in sorted(Path(proof.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] in sys.stdlib_module_names, path


def test_pages_can_be_read_offline_and_say_what_they_are(handed: Path) -> None:
    """Every page carries the demonstration stamp and the disclaimer, loads nothing, and never claims what only an auditor may."""
    files = unpack(handed / "p.affidavit")
    pages = {name: data.decode() for name, data in files.items() if name.startswith("pages/")}
    assert len(pages) == 9
    for name, text in pages.items():
        assert "Demonstration" in text and "Not sworn" in text and "demo/northwind" in text, name
        assert "http://" not in text.replace("http://www.w3.org", "") and "<script" not in text, name
        lowered = text.lower()
        assert not any(word in lowered for word in ("compliant", "certified", "effective"))
    assert "What this does not show" in pages["pages/index.html"]
    assert "DEMONSTRATION" in files["README.txt"].decode()


def test_a_later_period_begins_with_its_opening_balances(tmp_path: Path) -> None:
    """Where a period was opened, the range begins there: a start checkpoint, a consistency proof and carried records travel."""
    with a_world(tmp_path / "home") as world:
        begin = TO + DAY
        world.at(begin - 5 * SECOND)
        world.open_period("second", begin)
        world.live(days=7, first=5)
        world.at(begin + 3 * DAY)
        world.run_controls(begin, begin + 2 * DAY)
        world.anchor()
        built = world.build(tmp_path / "p.affidavit", begin, begin + 2 * DAY)
        report = verify_file(str(tmp_path / "p.affidavit"), world.trust)
        assert report.exit_code == 0, report.verdict
        bounds = canonical.loads(unpack(tmp_path / "p.affidavit")["manifest.json"])["range"]
        assert 0 < bounds["start_size"] <= bounds["view_from"]
        assert "records carried" in report.steps[7].found and "hashes" in report.steps[5].found
        assert built.draft.body["start_size"] == bounds["start_size"]


def test_building_refuses_what_cannot_be_shown(tmp_path: Path) -> None:
    """No package over an existing file, for a period without runs, or where the ledger records something else than comes out."""
    with a_world(tmp_path / "home") as world:
        (tmp_path / "there").write_text("x")
        with pytest.raises(BadInput):
            world.build(tmp_path / "there")
        with pytest.raises(Conflict, match="not run"):
            world.build(tmp_path / "p", FROM, TO + DAY)
        run_at = max(index for index, _ in world.reader.of_types("procedure.run"))
        event = world.reader.event(run_at)
        from affiant.ledger import Draft

        world.write(Draft("procedure.run", {**event.body, "deviations": event.body["deviations"] + 1}, ref="run_x"))
        world.anchor()
        with pytest.raises(LedgerFault, match="deviations"):
            world.build(tmp_path / "p")
        assert not list(tmp_path.glob("p*"))
