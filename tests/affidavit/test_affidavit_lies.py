"""Each way to tamper with a package, held against the verifier: by an outsider, then by whoever holds the log's key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from affidavit_factory import FROM, TO, World, a_world, pack, reseal, unpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from affiant.proof import canonical
from affiant.proof.check import verify_file
from affiant.proof.hashes import CompactRange, leaf_hash
from affiant.proof.note import Checkpoint, Note, VerifierKey, sign_note_text
from affiant.proof.tiles import pack_bundle, unpack_bundle
from affiant.proof.verify import Report

SEED = b"s" * 32
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    root = tmp_path_factory.mktemp("lies")
    with a_world(root / "home", spoil=True) as world:
        world.build(root / "good.affidavit")
        yield world, root


def judge(made: tuple[World, Path], files: Files, trust: bool = True) -> Report:
    world, root = made
    return verify_file(str(pack(files, root / "tampered.affidavit")), world.trust if trust else None)


def refused_at(report: Report) -> str:
    assert report.exit_code == 1, report.verdict
    assert report.steps[-1].state == "failed"
    assert all(step.state != "failed" for step in report.steps[:-1])
    return report.steps[-1].claim + ": " + report.verdict


def test_a_good_package_is_good_with_a_trust_file_and_unanchored_without(made: tuple[World, Path]) -> None:
    """Exit 0 needs the trust file's quorum; without a trust file, or with quorum none, the answer is 3."""
    world, root = made
    path = str(root / "good.affidavit")
    assert verify_file(path, world.trust).exit_code == 0
    assert verify_file(path).exit_code == 3
    assert "NOT ANCHORED" in verify_file(path).verdict
    assert verify_file(path, f"log {world.writer.vkey}\nquorum none\n").exit_code == 3
    assert "First outside anchor" in verify_file(path).steps[3].found


def _changed_byte(files: Files) -> None:
    name = "ledger/entries/000000"
    files[name] = files[name][:700] + bytes([files[name][700] ^ 1]) + files[name][701:]


def _removed_file(files: Files) -> None:
    del files["results/PI-5.1/population.csv"]


def _added_file(files: Files) -> None:
    files["results/PI-5.1/more.csv"] = b"x\n"


def _removed_row(files: Files) -> None:
    lines = files["results/PI-5.1/population.csv"].splitlines(keepends=True)
    files["results/PI-5.1/population.csv"] = b"".join(lines[:-1])


def _added_row(files: Files) -> None:
    lines = files["results/PI-5.1/population.csv"].splitlines(keepends=True)
    files["results/PI-5.1/population.csv"] = b"".join([*lines, lines[-1].replace(b"ch_4", b"ch_9")])


def _altered_result(files: Files) -> None:
    raw = canonical.loads(files["results/PI-5.1/result.json"])
    files["results/PI-5.1/result.json"] = canonical.dumps({**raw, "result": "no deviations noted", "deviations": 0})


def _altered_page(files: Files) -> None:
    for name in ("pages/index.html", "pages/control-PI-5.1.html"):
        files[name] = files[name].replace(b'PI-5.1 deviations noted">deviations noted', b'PI-5.1 no deviations noted">no deviations noted')


def _hidden_word(files: Files) -> None:
    files["pages/index.html"] = files["pages/index.html"].replace(b'noted">deviations noted<', b'noted">no deviations noted<')


def _script(files: Files) -> None:
    files["pages/index.html"] = files["pages/index.html"].replace(b"</body>", b"<script>1</script></body>")


def _other_sample(files: Files) -> None:
    lines = files["results/PI-6.1/sample.csv"].splitlines(keepends=True)
    files["results/PI-6.1/sample.csv"] = b"".join([lines[0], lines[2], lines[1], *lines[3:]])


def _hostile_query(files: Files) -> None:
    raw = canonical.loads(files["controls/PI-5.1.json"])
    raw["population"]["query"] = "SELECT name FROM sqlite_master ORDER BY name"
    files["controls/PI-5.1.json"] = canonical.dumps(raw)


def _altered_items(files: Files) -> None:
    files["results/PI-5.1/items.csv"] = files["results/PI-5.1/items.csv"].replace(b",1,", b",0,")


def _dropped_control(files: Files) -> None:
    del files["controls/PI-5.1.json"]
    for name in [name for name in files if name.startswith("results/PI-5.1/")]:
        del files[name]


def _other_views(files: Files) -> None:
    raw = json.loads(files["views.json"])
    for view in raw["views"]:
        if view["name"] == "change_approved":
            view["columns"] = [["approver", "TEXT", "body.author"] if c[0] == "approver" else c for c in view["columns"]]
    files["views.json"] = json.dumps(raw).encode()


TAMPERINGS = [
    _changed_byte, _removed_file, _added_file, _removed_row, _added_row, _altered_result, _altered_page, _script, _other_sample,
    _hostile_query, _altered_items, _other_views,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_an_outsiders_change_contradicts_the_manifest(made: tuple[World, Path], tamper: Callable[[Files], None]) -> None:
    """Whoever lacks the log's key cannot change, add or remove a byte of any file."""
    files = unpack(made[1] / "good.affidavit")
    tamper(files)
    assert "its manifest lists" in refused_at(judge(made, files))


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_a_change_that_the_company_signs_contradicts_the_ledger(made: tuple[World, Path], tamper: Callable[[Files], None]) -> None:
    """Whoever holds the log's key and seals the package anew is refused by what the witnessed ledger says."""
    files = unpack(made[1] / "good.affidavit")
    tamper(files)
    if tamper in (_removed_file, _added_file, _removed_row, _added_row, _altered_result, _other_sample, _altered_items):
        expected = "recomputed"
    elif tamper in (_altered_page, _script):
        expected = "pages"
    else:
        expected = {_changed_byte: "entries", _hostile_query: "Every control", _other_views: "grammar"}[tamper]
    assert expected in refused_at(judge(made, reseal(files, SEED)))


def test_a_page_whose_words_differ_from_its_marks_is_refused(made: tuple[World, Path]) -> None:
    """A page that shows another word than it marks up is a lie even when sealed anew."""
    files = unpack(made[1] / "good.affidavit")
    _hidden_word(files)
    assert "pages" in refused_at(judge(made, reseal(files, SEED)))


def test_leaving_out_an_adopted_control_is_refused(made: tuple[World, Path]) -> None:
    """A control that the ledger adopted cannot be left out of a package."""
    files = unpack(made[1] / "good.affidavit")
    _dropped_control(files)
    controls = [c for c in canonical.loads(files["manifest.json"])["controls"] if c["id"] != "PI-5.1"]
    assert "PI-5.1" in refused_at(judge(made, reseal(files, SEED, controls=controls)))


def test_a_forged_manifest_signature_is_refused(made: tuple[World, Path]) -> None:
    """A manifest signed by another key than the log's is refused at its signature."""
    files = reseal(unpack(made[1] / "good.affidavit"), b"x" * 32)
    assert "manifest is signed" in refused_at(judge(made, files))


def test_a_swapped_checkpoint_is_refused(made: tuple[World, Path]) -> None:
    """An earlier checkpoint of the same log, however well signed, is not the end of this range."""
    files = unpack(made[1] / "good.affidavit")
    files["ledger/end.checkpoint"] = made[0].reader.checkpoints()[2].note
    assert "checkpoints" in refused_at(judge(made, reseal(files, SEED)))


def test_a_package_wholly_signed_under_another_key_is_caught_by_the_trust_file(made: tuple[World, Path]) -> None:
    """Under another key a package is consistent in itself; only a trust file obtained elsewhere tells."""
    world, root = made
    files = unpack(root / "good.affidavit")
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    vkey = VerifierKey(world.home.origin, 1, other.public_key().public_bytes_raw())
    text = Note.parse(files["ledger/end.checkpoint"]).text
    files["ledger/end.checkpoint"] = sign_note_text(text, vkey, other.sign)
    files = reseal(files, b"o" * 32, log=str(vkey))
    assert judge(made, files, trust=False).exit_code == 3
    assert "trust file" in refused_at(judge(made, files))


def _forge_history(files: Files, world: World) -> Files:
    """Rewrite one entry and sign a new end with the log's real key."""
    bundles = sorted(name for name in files if name.startswith("ledger/entries/"))
    entries = [entry for name in bundles for entry in unpack_bundle(files[name])]
    at = next(i for i, entry in enumerate(entries) if b'"service.hour"' in entry and i > 20)
    entries[at] = entries[at].replace(b'"served":60', b'"served":59')
    tree = CompactRange()
    tree.extend(leaf_hash(entry) for entry in entries)
    for number, name in enumerate(bundles):
        files[name] = pack_bundle(entries[256 * number : 256 * (number + 1)])
    private = Ed25519PrivateKey.from_private_bytes(world.seed)
    vkey = VerifierKey.parse(world.writer.vkey)
    files["ledger/end.checkpoint"] = sign_note_text(Checkpoint(world.home.origin, len(entries), tree.root()).text(), vkey, private.sign)
    return files


def test_a_history_rewritten_with_the_real_key_is_caught_by_the_anchor(made: tuple[World, Path]) -> None:
    """With the real key anything can be signed anew, but not what a witness saw."""
    world, root = made
    files = _forge_history(unpack(root / "good.affidavit"), world)
    assert "anchored" in refused_at(judge(made, reseal(dict(files), SEED), trust=False))
    without = {name: data for name, data in files.items() if name != "ledger/anchors.json"}
    assert "quorum" in refused_at(judge(made, reseal(without, SEED)))
    old = Note.parse(world.writer.head.note)
    cosigned = Note.parse(unpack(root / "good.affidavit")["ledger/end.checkpoint"]).signatures[-1].line()
    assert old.signatures
    pasted = {**without, "ledger/end.checkpoint": Note.parse(without["ledger/end.checkpoint"]).with_line(cosigned).to_bytes()}
    assert "does not hold" in refused_at(judge(made, reseal(pasted, SEED)))


def test_a_wholly_regenerated_history_is_only_self_consistent(made: tuple[World, Path], tmp_path: Path) -> None:
    """A history made up from the start with the real key passes as consistent, never as anchored, and an own anchor refutes it."""
    world, root = made
    with a_world(tmp_path / "again", spoil=False) as again:
        shutil.rmtree(tmp_path / "none", ignore_errors=True)
        again.home.anchors_db.unlink()
        again.build(tmp_path / "again.affidavit")
    path = str(tmp_path / "again.affidavit")
    assert verify_file(path).exit_code == 3
    assert "First outside anchor: none" in verify_file(path).steps[3].found
    report = verify_file(path, world.trust)
    assert report.exit_code == 1 and "quorum" in report.verdict
    anchors = json.loads(unpack(root / "good.affidavit")["ledger/anchors.json"])["notes"]
    mine = anchors[-2].encode()
    lenient = f"log {world.writer.vkey}\nwitness w1 {world.witness.vkey}\nquorum none\n"
    report = verify_file(path, lenient, [mine])
    assert report.exit_code == 1 and "witnessed" in report.verdict


def test_a_run_that_was_repeated_until_it_pleased_is_shown(tmp_path: Path) -> None:
    """A package shows the last run for its period and how many there were; an earlier one cannot be passed off."""
    with a_world(tmp_path / "home") as world:
        world.build(tmp_path / "first.affidavit")
        world.run_controls()
        world.anchor()
        world.build(tmp_path / "second.affidavit")
        report = verify_file(str(tmp_path / "second.affidavit"), world.trust)
        assert report.exit_code == 0
        assert all(control["runs"] == 2 for control in report.controls)
        files, first = unpack(tmp_path / "second.affidavit"), unpack(tmp_path / "first.affidavit")
        controls = canonical.loads(first["manifest.json"])["controls"]
        report = verify_file(str(pack(reseal(files, SEED, controls=controls), tmp_path / "old.affidavit")), world.trust)
        assert report.exit_code == 1 and "run again" in report.verdict


def test_a_period_is_checked_against_its_own_runs(made: tuple[World, Path]) -> None:
    """A package cannot claim another period than its controls were run for."""
    files = reseal(unpack(made[1] / "good.affidavit"), SEED, period={"from": FROM, "to": TO - 1})
    assert "no run" in refused_at(judge(made, files))
