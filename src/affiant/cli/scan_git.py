"""The blobs of a Git repository, each once, with the commit and path that brought it in; memory grows by one digest a blob.

Only plumbing is called, with the repository's own hooks, filters and fetching switched off: what is scanned is not trusted.
Leaves out: what is in a blob (`scan_text`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from affiant.kit.errors import BadInput, CouldNotLook

_REGULAR = (b"100644", b"100755", b"100664")
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never")
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Blob:
    """One version of a file.

    Args:
        id: object name.
        commit: that brought it in; "" where none is known (staged, unreachable, or brought in by a merge alone).
        path: there; "" where none is known.
        raw: content; None if it is larger than allowed or missing.
        size: bytes; -1 if it is missing.
    """

    id: str
    commit: str
    path: str
    raw: bytes | None
    size: int


Reader = Callable[[bytes, str, str], Blob]
"""Reads one blob: object name, commit, path."""


def repository(path: Path) -> bool:
    """Whether a folder is a work tree's root or a bare repository."""
    return (path / ".git").exists() or ((path / "objects").is_dir() and (path / "HEAD").is_file())


class History:
    """Blobs of one repository.

    Args:
        root: work tree's root or bare repository.
        max_bytes: of a blob; larger ones are named, not read.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.root, self.max_bytes = root, max_bytes
        self._seen: set[bytes] = set()

    def everything(self) -> Iterator[Blob]:
        """Every blob: first those that commits brought in, oldest first, then what else the object store holds.

        Raises:
            CouldNotLook: Git is not there or refuses.
        """
        with self._contents() as read:
            yield from self._of_commits(["--all"], read)
            with self._run("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname) %(objecttype)") as listing:
                for line in listing:
                    name, kind = line.split()
                    if kind == b"blob" and self._new(name):
                        yield read(name, "", "")

    def since(self, revision: str) -> Iterator[Blob]:
        """Blobs that commits after `revision` brought in.

        Raises:
            BadInput: there is no such revision.
        """
        start = self.resolve(revision)
        with self._contents() as read:
            yield from self._of_commits([f"{start}..HEAD"], read)

    def staged(self) -> Iterator[Blob]:
        """Blobs of the index that the last commit does not have."""
        base = "HEAD" if self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") else self._empty_tree()
        with self._contents() as read, self._run("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=64", base) as raw:
            yield from self._changed(raw, read, "")

    def resolve(self, revision: str) -> str:
        """The commit that a revision names.

        Raises:
            BadInput: none.
        """
        name = "" if revision.startswith("-") else self._ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if not name:
            raise BadInput(f"{revision!r} names no commit of {self.root}.", "Give a branch, tag or commit id that `git log` shows.")
        return name

    def _empty_tree(self) -> str:
        return self._ask("hash-object", "-t", "tree", "/dev/null")

    def _of_commits(self, which: Sequence[str], read: Reader) -> Iterator[Blob]:
        with (
            self._run("rev-list", "--reverse", *which) as commits,
            self._run("diff-tree", "--stdin", "-r", "--root", "--raw", "-z", "--no-renames", "--abbrev=64", stdin=commits) as raw,
        ):
            yield from self._changed(raw, read, "")

    def _changed(self, raw: IO[bytes], read: Reader, commit: str) -> Iterator[Blob]:
        """Blobs of raw differences; a token that is no difference names the commit of those after it."""
        tokens = _tokens(raw)
        for token in tokens:
            if not token.startswith(b":"):
                commit = token.strip().decode("ascii", "replace")
                continue
            _, mode, _, name, _ = token[1:].split(b" ", 4)
            path = next(tokens, b"")
            if mode in _REGULAR and name.strip(b"0") and self._new(name):
                yield read(name, commit, _shown(path))

    def _new(self, name: bytes) -> bool:
        digest = bytes.fromhex(name.decode("ascii"))
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True

    @contextmanager
    def _contents(self) -> Iterator[Reader]:
        """A function that reads one blob; sizes are asked for first, so that a huge one is never read."""
        with self._talk("--batch-check=%(objectsize)") as sizes, self._talk("--batch") as bodies:

            def read(name: bytes, commit: str, path: str) -> Blob:
                reply = _ask(sizes, name)
                size = int(reply) if reply.isdigit() else -1
                raw = None
                if 0 <= size <= self.max_bytes:
                    header = _ask(bodies, name)
                    if not header.endswith(b"missing"):
                        raw = _exactly(bodies, size + 1)[:-1]
                return Blob(name.decode("ascii"), commit, path, raw, size)

            yield read

    def _command(self, *arguments: str) -> list[str]:
        return [*_GIT, "-C", str(self.root), *arguments]

    def _ask(self, *arguments: str) -> str:
        try:
            done = subprocess.run(self._command(*arguments), env=os.environ | _QUIET, capture_output=True, check=False)
        except FileNotFoundError:
            raise _no_git() from None
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""

    @contextmanager
    def _talk(self, mode: str) -> Iterator[subprocess.Popen[bytes]]:
        try:
            process = subprocess.Popen(
                self._command("cat-file", mode),
                env=os.environ | _QUIET,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise _no_git() from None
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def _run(self, *arguments: str, stdin: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
        """Standard output of a Git command.

        Raises:
            CouldNotLook: it is not there, or fails.
        """
        try:
            process = subprocess.Popen(
                self._command(*arguments),
                env=os.environ | _QUIET,
                stdin=stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise _no_git() from None
        assert process.stdout is not None
        complete = False
        try:
            yield process.stdout
            complete = True
        finally:
            if not complete:
                process.kill()
            _, said = process.communicate()
        if process.returncode:
            words = said.decode("utf-8", "replace").strip().splitlines()
            raise CouldNotLook(
                f"Git could not read {self.root}: {words[0] if words else f'status {process.returncode}'}.",
                "See that `git fsck` and `git log` work there as this user, or give --no-history.",
            )


def _no_git() -> CouldNotLook:
    return CouldNotLook("The program `git` is not there, so the history was not read.", "Install it, or give --no-history.")


def _ask(process: subprocess.Popen[bytes], name: bytes) -> bytes:
    """The line that `git cat-file` answers for an object name.

    Raises:
        CouldNotLook: it has ended.
    """
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(name + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise _ended() from None
    line = process.stdout.readline()
    if not line:
        raise _ended()
    return line.strip()


def _exactly(process: subprocess.Popen[bytes], size: int) -> bytes:
    assert process.stdout is not None
    raw = process.stdout.read(size)
    if len(raw) != size:
        raise _ended()
    return raw


def _ended() -> CouldNotLook:
    return CouldNotLook("`git cat-file` ended while blobs were read.", "See that `git fsck` finds no fault in this repository.")


def _tokens(raw: IO[bytes]) -> Iterator[bytes]:
    """What a stream holds between NUL bytes."""
    rest = b""
    while chunk := raw.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
