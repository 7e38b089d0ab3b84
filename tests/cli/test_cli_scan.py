"""`affiant scan`: trees, notebooks, history, hooks; the secret itself is never printed."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from affiant.cli import main
from affiant.cli.scan_git import History
from affiant.cli.scan_text import ALLOW_MARK

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def token(seed: int) -> str:
    """A made-up access token; different for each seed."""
    chance = random.Random(seed)
    return "gl" + "pat-" + "".join(chance.choice(LETTERS) for _ in range(20))


def scan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, findings, and the words for people."""
    code = main(["scan", *arguments])
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err


def git(folder: Path, *arguments: str) -> str:
    """Run Git there, apart from this machine's own settings."""
    alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=os.environ | alone, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    """Write a file, commit it, give the commit."""
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "-q", "-m", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository."""
    git(tmp_path, "init", "-q")
    return tmp_path


def test_a_finding_says_where_but_not_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kind, file, line, column, fingerprint and four characters; exit code 1."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / ".env").write_text(f"DEBUG=1\nTOKEN={token(1)}\n")
    code, findings, words = scan(capsys, str(tmp_path))
    assert code == 1 and len(findings) == 1 and words.startswith("1 findings in 1 files")
    one = findings[0]
    assert (one["kind"], one["file"], one["line"], one["column"], one["commit"]) == ("gitlab_pat", "deploy/.env", 2, 7, None)
    assert token(1) not in json.dumps(one) and token(1)[4:] not in words and one["preview"] == "glpa… (26 characters)"


def test_nothing_found_is_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clean tree and a clean file."""
    (tmp_path / "a.py").write_text("token = os.environ['TOKEN']\n")
    assert scan(capsys, str(tmp_path))[:2] == (0, [])
    assert scan(capsys, str(tmp_path / "a.py"))[:2] == (0, [])


def test_links_binaries_and_huge_files_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is counted or left out, none is followed; a pipe does not block."""
    outside = tmp_path / "outside"
    outside.write_text(token(2))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    (tree / "loop").symlink_to(tree)
    (tree / "binary").write_bytes(b"\0" + token(3).encode())
    (tree / "huge").write_text(" " * 1_000_001 + token(4))
    os.mkfifo(tree / "pipe")
    code, findings, words = scan(capsys, str(tree), "--max-megabytes", "1")
    assert (code, findings) == (0, []) and "1 binary" in words and "1 too large" in words


def test_other_encodings_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """UTF-16 with its mark, and bytes that are no UTF-8 at all."""
    (tmp_path / "wide").write_bytes(f"key: {token(5)}".encode("utf-16"))
    (tmp_path / "broken").write_bytes(b"\xff\xfa key: " + token(6).encode())
    assert [one["file"] for one in scan(capsys, str(tmp_path))[1]] == ["broken", "wide"]


def test_notebooks_are_read_cell_by_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sources and outputs, with the line within the cell; a broken notebook is read as text."""
    cells = [
        {"cell_type": "markdown", "source": "# title"},
        {"cell_type": "code", "source": ["import x\n", f'x.login("{token(7)}")'], "outputs": [{"text": [f"token {token(8)}\n"]}]},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "b.ipynb").write_text('{"cells": [' * 3_000 + token(9))
    findings = scan(capsys, str(tmp_path))[1]
    places = [(one["file"], one["part"], one["line"]) for one in findings]
    assert places == [("a.ipynb", "cell 2", 2), ("a.ipynb", "cell 2 output", 1), ("b.ipynb", None, 1)]


def test_findings_may_stand_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By a mark on the line, or by fingerprint and reason in the allow file; a line without a reason is bad input."""
    (tmp_path / "a.txt").write_text(f"one: {token(10)}  # {ALLOW_MARK}\ntwo: {token(11)}\n")
    code, findings, words = scan(capsys, str(tmp_path))
    assert code == 1 and len(findings) == 1 and "1 allowed" in words
    allow = tmp_path / ".affiant-scan-allow"
    allow.write_text(f"# looked at\n{findings[0]['fingerprint']} a test account, closed\n")
    assert scan(capsys, str(tmp_path))[0] == 0
    allow.write_text(f"{findings[0]['fingerprint']}\n")
    code, _, words = scan(capsys, str(tmp_path))
    assert code == 2 and "line 1" in words and "reason" in words


def test_paths_may_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A glob names files or a whole folder."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "a.txt").write_text(f"key: {token(12)}")
    assert scan(capsys, str(tmp_path), "--exclude", "vendor")[0] == 0


def test_the_history_names_commit_and_path(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that was removed is found in the commit that brought it in, once; one that is still there is found in the tree."""
    commit(repository, "a.txt", "clean\n")
    bad = commit(repository, "b.txt", f"key: {token(13)}\n")
    commit(repository, "b.txt", f"key: {token(13)}\nmore\n")
    commit(repository, "b.txt", "key: gone\n")
    commit(repository, "c.txt", f"key: {token(14)}\n")
    code, findings, words = scan(capsys, str(repository))
    assert code == 1 and "5 blobs" in words
    assert [(one["file"], one["commit"]) for one in findings] == [("c.txt", None), ("b.txt", bad)]
    assert [one["file"] for one in scan(capsys, str(repository), "--no-history")[1]] == ["c.txt"]


def test_packed_and_unreachable_blobs_are_read(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What no branch holds any more is still in the object store."""
    commit(repository, "a.txt", "clean\n")
    commit(repository, "b.txt", f"key: {token(15)}\n")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    git(repository, "repack", "-adk", "-q")
    findings = scan(capsys, str(repository))[1]
    assert [(one["kind"], one["file"], one["commit"]) for one in findings] == [("gitlab_pat", None, None)]


def test_a_hook_looks_at_what_is_staged(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first commit too; the work tree does not matter."""
    (repository / "a.txt").write_text(f"key: {token(16)}")
    assert scan(capsys, str(repository), "--staged")[0] == 0
    git(repository, "add", "a.txt")
    (repository / "a.txt").write_text("changed since")
    assert [one["file"] for one in scan(capsys, str(repository), "--staged")[1]] == ["a.txt"]
    git(repository, "commit", "-q", "-m", "x")
    assert scan(capsys, str(repository), "--staged")[0] == 0


def test_a_pipeline_looks_at_what_is_new(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only commits after the revision; an unknown one, or one that looks like an option, is bad input."""
    old = commit(repository, "a.txt", f"key: {token(17)}")
    new = commit(repository, "b.txt", f"key: {token(18)}")
    assert [one["commit"] for one in scan(capsys, str(repository), "--since", old)[1]] == [new]
    for revision in ("nothing", "--all", ""):
        code, _, words = scan(capsys, str(repository), f"--since={revision}")
        assert code == 2 and "names no commit" in words


def test_a_bare_repository_is_read(repository: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """Its history only, not its own files."""
    commit(repository, "a.txt", f"key: {token(19)}")
    bare = tmp_path_factory.mktemp("bare") / "x.git"
    git(repository, "clone", "-q", "--bare", str(repository), str(bare))
    assert [one["file"] for one in scan(capsys, str(bare))[1]] == ["a.txt"]


def test_odd_names_are_printed_as_text(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is no UTF-8, or holds a line feed, in the tree and in the history."""
    for name in (b"\xffodd", b"two\nlines"):
        (repository / os.fsdecode(name)).write_text(f"key: {token(20)}")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "x")
    assert sorted(str(one["file"]) for one in scan(capsys, str(repository))[1]) == ["\\xffodd", "two\nlines"]


def test_the_repository_does_not_run_anything(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings of the scanned repository that name programs are not followed."""
    commit(repository, "a.txt", "clean")
    mark = repository / "ran"
    script = repository / "x.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(script))
    git(repository, "config", "diff.external", str(script))
    for arguments in ((), ("--staged",)):
        scan(capsys, str(repository), *arguments)
    assert not mark.exists()


def test_a_broken_repository_is_not_an_empty_one(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Git's refusal is exit code 3 and says what to do."""
    commit(repository, "a.txt", "clean")
    for pack in (repository / ".git" / "objects").glob("??/*"):
        pack.chmod(0o644)
        pack.write_bytes(b"broken")
    code, _, words = scan(capsys, str(repository))
    assert code == 3 and "fsck" in words


def test_bad_input_is_refused(tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such path, both modes at once, modes without a repository."""
    (tmp_path / "plain").mkdir()
    for arguments in ((str(tmp_path / "none"),), (str(repository), "--staged", "--since", "HEAD"), (str(tmp_path / "plain"), "--staged")):
        assert scan(capsys, *arguments)[0] == 2


def test_memory_grows_by_a_digest_a_blob(repository: Path) -> None:
    """What the history keeps of a blob is its object name only, and each is given once."""
    for number in range(5):
        commit(repository, f"{number % 2}.txt", f"{number}\n")
    history = History(repository, 1_000)
    blobs = list(history.everything())
    assert len(blobs) == len({blob.id for blob in blobs}) == 5 and all(blob.commit for blob in blobs)
    assert list(history.everything()) == []


def test_this_repository_holds_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """No tracked file of the project has one: test strings are put together when a test runs."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    names = git(root, "ls-files", "-z").split("\0")
    tops = {name.partition("/")[0] for name in names if name}
    others = sorted(path.name for path in root.iterdir() if path.name not in tops)
    code, findings, words = scan(capsys, str(root), "--no-history", *(part for name in others for part in ("--exclude", name)))
    assert (code, findings) == (0, []), words
