"""`affiant scan PATH`: secrets in a tree and in its Git history, one JSON line each, never the secret itself.

Leaves out: how a file becomes text (`scan_text`), how Git is read (`scan_git`), and what a secret looks like (`guards`).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import click

from affiant.cli.scan_git import Blob, History, repository
from affiant.cli.scan_text import ALLOW_FILE, Allowed, Spot, decoded, spots
from affiant.cli.shared import FINDING, GOOD, UNSEEN, out, say, worst
from affiant.guards.detectors.secrets import DETECTORS
from affiant.guards.scan import Scanner
from affiant.kit.errors import BadInput

MAX_MEGABYTES = 8


@dataclass
class Run:
    """One scan: what it looks with, and what it has counted.

    Args:
        scanner: of secrets.
        allowed: what is let stand.
        max_bytes: of a file; larger ones are named, not read.
        exclude: glob patterns of paths that are not read.
    """

    scanner: Scanner
    allowed: Allowed
    max_bytes: int
    exclude: tuple[str, ...]
    files: int = 0
    blobs: int = 0
    findings: int = 0
    let: int = 0
    large: int = 0
    binary: int = 0
    unread: list[str] = field(default_factory=list)
    known: set[tuple[str, str]] = field(default_factory=set)  # fingerprint and path of what was printed

    def skips(self, path: str) -> bool:
        """Whether a path is excluded, itself or by a folder above it."""
        return any(fnmatch(path, pattern) or fnmatch(path, f"{pattern}/*") for pattern in self.exclude)

    def look(self, path: str, raw: bytes, commit: str | None, blob: str | None) -> None:
        """Print the secrets of one content; in the history each secret of a path once."""
        text = decoded(raw)
        if text is None:
            self.binary += 1
            return
        found, let = spots(self.scanner, path, text, self.allowed)
        self.let += let
        for spot in found:
            mark = (spot.fingerprint, path)
            if blob is not None and mark in self.known:
                continue
            self.known.add(mark)
            self.findings += 1
            out(_line(spot, path, commit, blob))


def _line(spot: Spot, path: str, commit: str | None, blob: str | None) -> dict[str, object]:
    return {
        "kind": spot.kind,
        "file": path or None,
        "part": spot.part or None,
        "line": spot.line,
        "column": spot.column,
        "commit": commit or None,
        "blob": blob,
        "fingerprint": spot.fingerprint,
        "preview": spot.preview,
        "score": spot.score_ppm / 1_000_000,
    }


@click.command("scan")
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="PATH")
@click.option("--history/--no-history", default=True, help="Read the Git history too, where PATH is a repository (default: yes).")
@click.option("--since", metavar="REV", help="Only what commits after REV brought in, for a pipeline.")
@click.option("--staged", is_flag=True, help="Only what is staged, for a pre-commit hook.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Paths to leave out, relative to PATH; may be repeated.")
@click.option(
    "--allow",
    "allow_file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help=f"Findings that may stand (default: PATH/{ALLOW_FILE}).",
)
@click.option("--max-megabytes", default=MAX_MEGABYTES, show_default=True, type=click.IntRange(1, 1_000), help="Larger files are not read.")
def command(
    path: Path, history: bool, since: str | None, staged: bool, exclude: tuple[str, ...], allow_file: Path | None, max_megabytes: int
) -> int:
    """Find secrets in a file, in a tree and in its Git history.

    One JSON line a finding: kind, file, line, column, commit, fingerprint and the first four characters, never the secret. Each blob
    of the history is read once. Symbolic links are not followed; notebooks are read cell by cell.

    A finding may stand by the mark `affiant:allow` on its line, or by its fingerprint and a reason on a line of the allow file.

    Exit codes: 0 none found, 1 findings, 2 bad input, 3 something could not be read.
    """
    if since is not None and staged:
        raise BadInput("--since and --staged exclude each other.", "Give one of them.")
    run = Run(Scanner(DETECTORS), _allowed(path, allow_file), max_megabytes * 1_000_000, exclude)
    store = History(path, run.max_bytes) if path.is_dir() and repository(path) else None
    if (since is not None or staged) and store is None:
        raise BadInput(f"{path} is no Git repository.", "Give the root of one, or leave out --since and --staged.")
    if store is not None and staged:
        _blobs(run, store.staged())
    elif store is not None and since is not None:
        _blobs(run, store.since(since))
    else:
        _tree(run, path)
        if store is not None and history:
            _blobs(run, store.everything())
    return _summary(run)


def _allowed(path: Path, given: Path | None) -> Allowed:
    name = given or (path / ALLOW_FILE if path.is_dir() else path.parent / ALLOW_FILE)
    if given is None and not name.is_file():
        return Allowed()
    return Allowed(name.read_text(encoding="utf-8", errors="replace"), name.name)


def _tree(run: Run, root: Path) -> None:
    """Every regular file of a tree; a bare repository has none of interest."""
    if root.is_dir() and repository(root) and not (root / ".git").exists():
        return
    for file, shown in _files(root):
        if run.skips(shown):
            continue
        try:
            raw = _read(file, run.max_bytes)
        except OSError as error:
            run.unread.append(f"{shown}: {error.strerror or error}")
            continue
        if raw is None:
            run.large += 1
            say(f"{shown}: larger than the limit, not read. Raise --max-megabytes to read it.")
            continue
        run.files += 1
        run.look(shown, raw, None, None)


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    """Regular files in order, without links and without Git's own; and how they are shown."""
    if root.is_file():
        yield root, root.name
        return
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name != ".git")
        for name in sorted(files):
            file = Path(folder, name)
            if name in (ALLOW_FILE, ".git") or not stat.S_ISREG(file.lstat().st_mode):
                continue
            yield file, os.fsencode(file.relative_to(root)).decode("utf-8", "backslashreplace")


def _read(file: Path, limit: int) -> bytes | None:
    """A file's bytes; None if there are more than `limit`."""
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as handle:
        raw = handle.read(limit + 1)
    return raw if len(raw) <= limit else None


def _blobs(run: Run, blobs: Iterator[Blob]) -> None:
    for blob in blobs:
        name = blob.path.rpartition("/")[2]
        if name == ALLOW_FILE or run.skips(blob.path):
            continue
        if blob.raw is None:
            if blob.size < 0:
                run.unread.append(f"blob {blob.id}: not in the object store")
            else:
                run.large += 1
            continue
        run.blobs += 1
        run.look(blob.path, blob.raw, blob.commit, blob.id)


def _summary(run: Run) -> int:
    for line in run.unread[:20]:
        say(f"Could not read {line}.")
    sys.stdout.flush()
    skipped = [
        f"{count} {what}" for count, what in ((run.binary, "binary"), (run.large, "too large"), (len(run.unread), "unreadable")) if count
    ]
    say(
        f"{run.findings} findings in {run.files} files and {run.blobs} blobs"
        + (f"; not read: {', '.join(skipped)}" if skipped else "")
        + (f"; {run.let} allowed" if run.let else "")
        + "."
    )
    return worst([FINDING if run.findings else GOOD, UNSEEN if run.unread else GOOD])
