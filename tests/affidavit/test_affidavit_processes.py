"""Many processes find what one finds, good or not, and one that dies is never taken for one that found nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from affidavit_factory import World, a_world, pack, reseal, unpack

from affiant.affidavit import build_verifier
from affiant.proof import scan
from affiant.proof.bundles import package_source
from affiant.proof.package import MANIFEST, Manifest, Package
from affiant.proof.scan import Bundles, Source
from affiant.proof.verify import Report, Verifier

SEED = b"s" * 32


@dataclass(frozen=True)
class _Noting(Source):
    """The entries of a package; each process that opens them leaves its id in a folder, or dies."""

    inner: Source
    folder: str
    dies: bool = False

    def open(self) -> Bundles:
        if self.dies:
            os._exit(9)
        Path(self.folder, str(os.getpid())).touch()
        return self.inner.open()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    root = tmp_path_factory.mktemp("processes")
    with a_world(root / "home", spoil=True) as world:
        world.build(root / "full.affidavit", mode="full")
        yield world, root


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The range of a small ledger is cut into many pieces, which only a large one would have otherwise."""
    monkeypatch.setattr(scan, "PIECE", 1)


def judge(path: Path, trust: str, processes: int, folder: Path, dies: bool = False) -> Report:
    """The argument over a package, with the ids of the processes that read its entries left in a folder."""
    folder.mkdir(exist_ok=True)
    with Package(str(path)) as package:
        files = Manifest.parse(package.read(MANIFEST)).files

        def source(_: str, start: int, end: int) -> Source:
            inner = package_source(package, files, start, end)
            assert isinstance(inner, Source)
            return _Noting(inner, str(folder), dies)

        return Verifier(package, trust, source_of=source, processes=processes).run()


def readers(folder: Path) -> set[int]:
    found = {int(path.name) for path in folder.iterdir()}
    assert found
    return found


def late(files: dict[str, bytes]) -> str:
    return max(name for name in files if name.startswith("ledger/entries/"))


@pytest.mark.usefixtures("short_pieces")
def test_several_processes_find_what_one_finds(made: tuple[World, Path], tmp_path: Path) -> None:
    """Pieces read side by side join to the same argument, good or not."""
    world, root = made
    files = unpack(root / "full.affidavit")
    changed = reseal(files | {late(files): files[late(files)].replace(b'"tv":', b'"tx":', 1)}, SEED)
    for path, code in ((root / "full.affidavit", 0), (pack(changed, tmp_path / "changed.affidavit"), 1)):
        one = judge(path, world.trust, 1, tmp_path / f"one{code}")
        two = judge(path, world.trust, 2, tmp_path / f"two{code}")
        assert one == two and one.exit_code == code, (one.verdict, two.verdict)
        assert readers(tmp_path / f"one{code}") == {os.getpid()}
        assert readers(tmp_path / f"two{code}").isdisjoint({os.getpid()})


@pytest.mark.usefixtures("short_pieces")
def test_a_process_that_dies_is_said_to_have_died(made: tuple[World, Path], tmp_path: Path) -> None:
    """Where a process ends before it has read its piece, nothing was checked, and the verdict says so."""
    world, root = made
    report = judge(root / "full.affidavit", world.trust, 2, tmp_path / "dead", dies=True)
    assert report.exit_code == 3 and report.verdict.startswith("NOT CHECKED: A process of the verifier was ended from outside")
    assert not any(step.state == "good" for step in report.steps)


def test_the_verifier_alone_prints_the_same_with_any_number_of_jobs(made: tuple[World, Path], tmp_path: Path) -> None:
    """Out of one file, with nothing installed: the same bytes with one process and with two, of a good package and of a changed one."""
    world, root = made
    build_verifier(tmp_path / "verify.pyz")
    (tmp_path / "trust").write_text(world.trust)
    data = bytearray((root / "full.affidavit").read_bytes())
    with zipfile.ZipFile(root / "full.affidavit") as archive:
        info = archive.getinfo(late(dict.fromkeys(archive.namelist(), b"")))
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2 + 20] ^= 1
    (tmp_path / "flipped.affidavit").write_bytes(data)
    for path, code, words in ((root / "full.affidavit", 0, "GOOD"), (tmp_path / "flipped.affidavit", 1, f"{info.filename} was changed")):
        command = [sys.executable, "-I", "-S", str(tmp_path / "verify.pyz"), str(path), "--trust", str(tmp_path / "trust"), "--jobs"]
        one, two = (subprocess.run([*command, n], cwd=tmp_path, capture_output=True, text=True, check=False, env={}) for n in "12")
        assert (one.returncode, one.stdout, one.stderr) == (two.returncode, two.stdout, two.stderr)
        assert one.returncode == code and words in one.stdout, one.stdout + one.stderr
    none = subprocess.run([*command, "0"], cwd=tmp_path, capture_output=True, text=True, check=False, env={})
    assert none.returncode == 2 and "give a number from 1 to 61, not 0" in none.stderr
