"""The museum of bad packages: named files, one defect each, and each gets one clear refusal from the verifier as people run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from affiant.proof.check import verify_file
from affiant.proof.errors import Malformed
from affiant.proof.tiles import unpack_bundle

FOLDER = Path(__file__).parent.parent / "assets" / "packages"
TRUST = (FOLDER / "trust.policy").read_text(encoding="utf-8")
# exit status and words of the refusal
EXPECTED = {
    "good": (0, "GOOD"),
    "entry_flipped": (1, "was changed"),
    "entry_changed_and_listed_anew": (1, "leads to another root"),
    "entry_not_canonical": (1, "leads to another root"),
    "entry_without_proof": (1, "has no entries/3.tlog-proof"),
    "entry_of_another_tenant": (1, "is not of the tenant"),
    "entries_swapped": (1, "leads to another root"),
    "index_twice": (1, "is about another entry"),
    "index_with_leading_zero": (1, "neither an entry nor a proof"),
    "proof_truncated": (1, "too short"),
    "proof_oversized": (1, "too long"),
    "proof_far_too_long": (1, "no proper index or hashes"),
    "proof_reversed": (1, "leads to another root"),
    "proof_flipped": (1, "leads to another root"),
    "checkpoint_flipped": (1, "does not hold"),
    "checkpoint_of_size_0": (2, "range is empty"),
    "checkpoint_not_utf8": (1, "UTF-8"),
    "checkpoint_key_id_wrong": (1, "not signed"),
    "checkpoint_101_signatures": (1, "signatures"),
    "checkpoint_unknown_signature_type_only": (1, "not signed"),
    "checkpoint_equal_size_fork": (1, "does not hold"),
    "checkpoint_without_cosignature": (1, "quorum"),
    "manifest_missing": (2, "no manifest.json"),
    "manifest_of_unknown_mode": (2, "mode"),
    "manifest_of_newer_version": (2, "newer verifier"),
    "file_added": (1, "was added"),
    "file_missing": (1, "missing from the package"),
    "name_twice": (2, "twice"),
    "name_twin_by_case": (2, "twice"),
    "path_upwards": (2, "unsafe name"),
    "path_absolute": (2, "unsafe name"),
    "path_backslash": (2, "unsafe name"),
    "symbolic_link": (2, "special file"),
    "device": (2, "special file"),
    "compressed_otherwise": (2, "compressed in a way"),
    "encrypted": (2, "encrypted"),
    "bomb_by_ratio": (2, "would unpack"),
    "bomb_by_declaration": (2, "would unpack"),
    "size_understated": (1, "was added"),
    "overlapping": (2, "overlaps"),
    "archive_truncated": (2, "is no package"),
    "archive_prefixed": (2, "is no package"),
    "archive_flipped": (1, "was changed"),
}


def test_every_package_of_the_museum_has_an_expected_refusal() -> None:
    """No file lies there untested, and none is missing."""
    assert {path.stem for path in FOLDER.glob("*.affidavit")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_package_gets_one_clear_refusal(name: str) -> None:
    """The exit status is the right one, the words name the defect, and no step after it is reported."""
    status, words = EXPECTED[name]
    report = verify_file(str(FOLDER / f"{name}.affidavit"), TRUST)
    assert report.exit_code == status and words in report.verdict, report.verdict
    assert sum(step.state == "failed" for step in report.steps) <= 1
    assert not report.steps or status == 0 or report.steps[-1].state == "failed" or "NOT CHECKED" in report.verdict
    assert len(report.verdict) < 500 and "Traceback" not in report.verdict


def test_the_museum_is_what_its_maker_makes() -> None:
    """Names on disk are those that `make_assets.py` writes, so that each defect can be read in code."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import make_packages; print(*make_packages.packages())"
    done = subprocess.run([sys.executable, "-c", code, str(FOLDER.parent)], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(EXPECTED)


@pytest.mark.parametrize("path", sorted((FOLDER.parent / "bundles").glob("*.bin")), ids=lambda path: path.stem)
def test_a_bad_bundle_is_refused(path: Path) -> None:
    """A bundle that ends inside an entry or a length is no bundle."""
    with pytest.raises(Malformed, match="ends inside"):
        unpack_bundle(path.read_bytes())
