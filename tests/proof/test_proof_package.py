"""Archives that must not be read: unsafe names, links, bombs, duplicates, encryption, overlaps, and what is no archive at all."""

from __future__ import annotations

import os
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from affiant.proof.check import verify_file
from affiant.proof.errors import Lie, Malformed, ProofError
from affiant.proof.package import Manifest, Package
from affiant.proof.pages import check_page


def archive(path: Path, *files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(path, "w", method) as out:
            for name, data in files:
                out.writestr(name, data, method)
    return str(path)


@pytest.mark.parametrize("name", [
    "../x", "/etc/passwd", "a/../../x", "a//b", "a/./b", "a\\b", "C:x", ".hidden", "a/.b", "a\nb", "a b", "é", "x" * 201, "a/", "con:ads",
    "a/b/c/d/e/f/g/h/i/j/k",
])  # fmt: skip
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    """A name that could leave the package, hide, or be read in two ways is refused."""
    with pytest.raises(Malformed):
        Package(archive(tmp_path / "x.zip", ("good", b"1"), (name, b"2")))


def test_duplicates_and_case_twins_are_refused(tmp_path: Path) -> None:
    """Two files of one name, or of names that differ only in case, are refused."""
    for second in ("a", "A"):
        with pytest.raises(Malformed, match="twice"):
            Package(archive(tmp_path / "x.zip", ("a", b"1"), (second, b"2")))


def test_links_and_special_files_are_refused(tmp_path: Path) -> None:
    """A symbolic link, device or directory in the archive is refused."""
    for mode in (0o120777, 0o060666, 0o040755):
        info = zipfile.ZipInfo("link")
        info.create_system = 3
        info.external_attr = mode << 16
        with pytest.raises(Malformed, match="special"):
            Package(archive(tmp_path / "x.zip", ("good", b"1"), (info, b"/etc/passwd")))


def test_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    """A file that would unpack to far more than it takes is refused by what it declares."""
    with pytest.raises(Malformed, match="unpack"):
        Package(archive(tmp_path / "x.zip", ("bomb", bytes(80 << 20))))


def test_a_size_that_lies_is_noticed(tmp_path: Path) -> None:
    """A file that declares fewer bytes than it unpacks to is cut and refused."""
    path = archive(tmp_path / "x.zip", ("file", b"a" * 1000))
    data = bytearray(Path(path).read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 10)
    Path(path).write_bytes(data)
    with Package(path) as package, pytest.raises(ProofError):
        package.read("file")


def test_other_compressions_and_encryption_are_refused(tmp_path: Path) -> None:
    """Only stored and deflated files in the clear are read."""
    with pytest.raises(Malformed, match="compressed"):
        Package(archive(tmp_path / "x.zip", ("a", b"1" * 50), method=zipfile.ZIP_BZIP2))
    path = archive(tmp_path / "y.zip", ("a", b"1"))
    data = bytearray(Path(path).read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    Path(path).write_bytes(data)
    with pytest.raises(Malformed, match="encrypted"):
        Package(path)


def test_overlapping_files_are_refused(tmp_path: Path) -> None:
    """Two directory entries over the same bytes are refused."""
    path = archive(tmp_path / "x.zip", ("aa", b"1" * 100), ("bb", b"2" * 100))
    data = bytearray(Path(path).read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 42, 0)
    Path(path).write_bytes(data)
    with pytest.raises(ProofError):
        Package(path).read("bb")


def test_what_is_no_package_is_bad_input(tmp_path: Path) -> None:
    """A missing, empty, foreign or truncated file, a directory and a pipe give exit 2, not a traceback."""
    good = archive(tmp_path / "x.zip", ("a", b"1"))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "cut").write_bytes(Path(good).read_bytes()[:-20])
    (tmp_path / "prefixed").write_bytes(b"#!/bin/sh\n" + Path(good).read_bytes())
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "empty", "text", "cut", "prefixed", "pipe", "."):
        assert verify_file(str(tmp_path / name)).exit_code == 2
    assert verify_file(good).exit_code == 2
    assert verify_file(good, "no trust file").exit_code == 2


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"format":"x","format_version":1}', b'{"format":"affiant-affidavit","format_version":2}']
)
def test_a_manifest_of_another_form_is_refused(data: bytes) -> None:
    """A manifest that lacks what it must have, or is of another version, is refused with words."""
    with pytest.raises(Malformed):
        Manifest.parse(data)


@pytest.mark.parametrize("html", [
    "<script>x</script>", "<img src=x onerror=y>", "<a href='JavaScript:x'>y</a>", "<iframe></iframe>", "<link rel=stylesheet href=x>",
    "<data value='A-1 met'>deviations noted</data>", "<data value='B-1 deviations noted'>deviations noted</data>",
    "<data value='A-1 deviations noted'>no deviations noted</data>",
])  # fmt: skip
def test_a_page_that_could_act_or_differs_is_refused(html: str) -> None:
    """Anything that runs or loads, and any result that differs from the recomputed one, is refused."""
    with pytest.raises(Lie):
        check_page("pages/x.html", html.encode(), {"A-1": "deviations noted"})


@pytest.mark.parametrize("html", [b"<p><![--d->", b"\xff"])
def test_a_page_that_is_no_html_is_refused(html: bytes) -> None:
    """What Python's HTML reader cannot go on with is a refusal, not a surprise."""
    with pytest.raises(Malformed):
        check_page("pages/x.html", html, {})


def test_a_page_that_says_the_same_passes() -> None:
    """A mark whose value and text are the recomputed result counts for its control."""
    page = b"<p><data value='A-1 deviations noted'> deviations\n noted</data></p>"
    assert check_page("pages/x.html", page, {"A-1": "deviations noted"}) == {"A-1"}
