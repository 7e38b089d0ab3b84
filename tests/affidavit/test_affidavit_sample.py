"""Sample mode, in-place verification, and opening balances against the prior affidavit."""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from affidavit_factory import DAY, FROM, SECOND, TO, World, a_world, pack, reseal, unpack

from affiant.affidavit.inplace import published
from affiant.affidavit.placing import audit_paths
from affiant.kit.errors import BadInput
from affiant.proof import canonical
from affiant.proof.check import verify_file
from affiant.proof.hashes import leaf_hash, root_of, verify_inclusion
from affiant.proof.sampled import NOT_SHOWN

SEED = b"s" * 32
Files = dict[str, bytes]


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    root = tmp_path_factory.mktemp("sample")
    with a_world(root / "home", spoil=True) as world:
        assert world.build(root / "s.affidavit", mode="sample").mode == "sample"
        yield world, root


@pytest.fixture
def url(made: tuple[World, Path]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(made[0].home.ledger)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_sample_package_holds_drawn_rows_with_proofs_and_no_other_entry(made: tuple[World, Path]) -> None:
    """Only entries behind samples and runs travel, each with a C2SP proof, and the verifier proves each."""
    world, root = made
    files = unpack(root / "s.affidavit")
    entries = {name for name in files if name.startswith("entries/") and name.endswith(".json")}
    assert entries and all(name[:-5] + ".tlog-proof" in files for name in entries)
    assert not any(name.startswith("ledger/entries/") or name.endswith(("population.csv", "items.csv")) for name in files)
    assert len(entries) < world.reader.size / 2
    report = verify_file(str(root / "s.affidavit"), world.trust)
    assert report.exit_code == 0, report.verdict
    assert report.facts["mode"] == "sample" and len(report.controls) == 8
    assert verify_file(str(root / "s.affidavit")).exit_code == 3


def test_the_first_line_says_sample_mode_and_the_end_what_is_not_shown(
    made: tuple[World, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can take a sample-mode result for a full one."""
    from affiant.proof.__main__ import main

    assert main([str(made[1] / "s.affidavit")]) == 3
    text = capsys.readouterr().out
    assert text.startswith("SAMPLE MODE")
    assert all(words in text for words in NOT_SHOWN) and "--ledger" in text


@pytest.mark.parametrize("mode", ["full", "sample"])
def test_pages_lead_only_to_files_that_travel_and_say_which(made: tuple[World, Path], tmp_path: Path, mode: str) -> None:
    """Every link of every page names a file of the package; a page of a sample says that rows which were not drawn stay behind."""
    world, _ = made
    world.build(tmp_path / "p.affidavit", mode=mode)
    files = unpack(tmp_path / "p.affidavit")
    pages = {name: data.decode() for name, data in files.items() if name.endswith(".html")}
    links = {(name, link) for name, text in pages.items() for link in re.findall(r'href="([^"#]+)"', text)}
    assert len(links) > 30
    assert [link for link in sorted(links) if posixpath.normpath(posixpath.join(posixpath.dirname(link[0]), link[1])) not in files] == []
    index, control, readme = pages["pages/index.html"], pages["pages/control-PI-6.1.html"], files["README.txt"].decode()
    assert ("recompute every figure" in index) == ("Entries that travel" in index) == (mode == "full")
    assert ("affidavit verify FILE --ledger URL" in index) == ("not every entry travels" in readme) == (mode == "sample")
    assert ("proves a row that was not drawn" in control) == ("entries/" in readme and "places.json" in control) == (mode == "sample")


def _row(files: Files) -> None:
    lines = files["results/PI-6.1/sample.csv"].splitlines(keepends=True)
    files["results/PI-6.1/sample.csv"] = b"".join([lines[0], lines[2], lines[1], *lines[3:]])


def _item(files: Files) -> None:
    name = "results/PI-6.1/sample.csv"
    assert b",0,\n" in files[name]
    files[name] = files[name].replace(b",0,\n", b",1,no_outcome\n", 1)


def _position(files: Files) -> None:
    raw = canonical.loads(files["results/PI-6.1/places.json"])
    raw["rows"][0]["position"] += 1
    files["results/PI-6.1/places.json"] = canonical.dumps(raw)


def _path(files: Files) -> None:
    raw = canonical.loads(files["results/PI-6.1/places.json"])
    raw["rows"][0]["row_path"] = raw["rows"][0]["row_path"][:-1]
    files["results/PI-6.1/places.json"] = canonical.dumps(raw)


def _entry(files: Files) -> None:
    name = next(n for n in sorted(files) if n.startswith("entries/") and n.endswith(".json"))
    files[name] = files[name].replace(b'"v":1', b'"v":2')


def _proof(files: Files) -> None:
    one, other = [n for n in sorted(files) if n.endswith(".tlog-proof")][:2]
    files[one] = files[other]


def _figure(files: Files) -> None:
    raw = canonical.loads(files["results/PI-5.1/result.json"])
    files["results/PI-5.1/result.json"] = canonical.dumps({**raw, "deviations": 0, "result": "no deviations noted"})


def _anchor(files: Files) -> None:
    raw = canonical.loads(files["ledger/anchor-proofs.json"])
    files["ledger/anchor-proofs.json"] = canonical.dumps({"proofs": raw["proofs"][1:]})


def _page(files: Files) -> None:
    files["pages/index.html"] = files["pages/index.html"].replace(
        b'PI-5.1 deviations noted">deviations noted', b'PI-5.1 no deviations noted">no deviations noted'
    )


@pytest.mark.parametrize("tamper", [_row, _item, _position, _path, _entry, _proof, _figure, _anchor, _page], ids=lambda t: t.__name__)
def test_a_sample_package_that_was_changed_is_refused(made: tuple[World, Path], tamper: Callable[[Files], None]) -> None:
    """Whoever holds the log's key and seals the package anew is refused by the proofs."""
    world, root = made
    files = unpack(root / "s.affidavit")
    tamper(files)
    report = verify_file(str(pack(reseal(files, SEED), root / "tampered.affidavit")), world.trust)
    assert report.exit_code == 1 and report.steps[-1].state == "failed", report.verdict


def test_a_sample_package_is_recomputed_in_place_from_the_published_log(made: tuple[World, Path], url: str) -> None:
    """With the published log every entry is read, every control recomputed, and what the sample hides is shown."""
    world, root = made
    report = verify_file(str(root / "s.affidavit"), world.trust, source_of=published(url))
    assert report.exit_code == 0, report.verdict
    assert any("PI-6.1 recomputed" in step.claim for step in report.steps)
    assert report.facts["entries"] > 250


def test_in_place_verification_could_not_look_where_nothing_answers(made: tuple[World, Path]) -> None:
    """A log that does not answer, or is another one, is said to be so; it is never taken for agreement."""
    world, root = made
    report = verify_file(str(root / "s.affidavit"), world.trust, source_of=published("http://127.0.0.1:9/x"))
    assert report.exit_code == 3 and "cannot be read" in report.verdict
    with pytest.raises(BadInput):
        published("ftp://x")


def test_a_dropped_control_is_noticed_in_place_only(made: tuple[World, Path], url: str) -> None:
    """What sample mode says that it cannot show, the published log shows."""
    world, root = made
    files = unpack(root / "s.affidavit")
    for name in [n for n in files if n.startswith("results/PI-5.1/") or n in ("controls/PI-5.1.json", "pages/control-PI-5.1.html")]:
        del files[name]
    files["pages/index.html"] = b"".join(part for part in files["pages/index.html"].splitlines(keepends=True) if b"PI-5.1" not in part)
    controls = [c for c in canonical.loads(files["manifest.json"])["controls"] if c["id"] != "PI-5.1"]
    path = str(pack(reseal(files, SEED, controls=controls), root / "dropped.affidavit"))
    assert verify_file(path, world.trust).exit_code == 0
    assert any("left out" in text for text in NOT_SHOWN)
    report = verify_file(path, world.trust, source_of=published(url))
    assert report.exit_code == 1 and "PI-5.1" in report.verdict


def test_a_sample_smaller_than_the_rule_is_refused(tmp_path: Path) -> None:
    """Management cannot draw fewer rows than the control's own rule asks for; an auditor may ask for another number."""
    from affiant.assurance import Evidence, Period
    from affiant.assurance.run import run_control
    from affiant.assurance.sample import given_seed
    from affiant.ledger import Draft

    with a_world(tmp_path / "home") as world:
        for number, kind in enumerate(("management-chosen", "auditor-chosen")):

            def append(drafts: object) -> int:
                listed = list(drafts)  # type: ignore[call-overload]
                assert all(isinstance(one, Draft) for one in listed)
                return world.write(*listed) - len(listed) + 1

            with Evidence(world.reader) as evidence:
                run_control(
                    evidence, world.catalog.controls["PI-6.1"], Period(FROM, TO), append, principal="person:ana",
                    now_us=world.clock.value_us, seed_of=given_seed("x", kind), sample_n=3,
                )  # fmt: skip
            world.anchor()
            path = tmp_path / f"{number}.affidavit"
            world.build(path)
            report = verify_file(str(path), world.trust)
            if kind == "auditor-chosen":
                assert report.exit_code == 0 and any("would ask for" in step.found for step in report.steps)
            else:
                assert report.exit_code == 1 and "asks for" in report.verdict


def test_opening_balances_are_those_that_the_prior_affidavit_leaves(tmp_path: Path) -> None:
    """With --prior each balance is an entry of the period before, and both histories agree at its end."""
    with a_world(tmp_path / "home") as world:
        begin = TO + DAY
        world.at(begin - 5 * SECOND)
        world.open_period("second", begin)
        world.anchor()
        world.run_controls()
        world.anchor()
        world.build(tmp_path / "first.affidavit")
        world.live(days=7, first=5)
        world.at(begin + 3 * DAY)
        world.run_controls(begin, begin + 2 * DAY)
        world.anchor()
        world.build(tmp_path / "second.affidavit", begin, begin + 2 * DAY)
        good = verify_file(str(tmp_path / "second.affidavit"), world.trust, prior=str(tmp_path / "first.affidavit"))
        assert good.exit_code == 0, good.verdict
        assert "no live record was dropped" in good.steps[7].found
    with a_world(tmp_path / "other", spoil=True) as other:
        other.build(tmp_path / "other.affidavit")
    report = verify_file(str(tmp_path / "second.affidavit"), world.trust, prior=str(tmp_path / "other.affidavit"))
    assert report.exit_code == 2 and "outside of this range" in report.verdict


def test_audit_paths_over_a_stream_are_those_of_the_tree() -> None:
    """Paths found while rows pass lead to the root over all of them, whatever their number."""
    for size in (1, 2, 255, 256, 257, 511, 512, 1000, 2300):
        leaves = [leaf_hash(b"%d" % n) for n in range(size)]
        wanted = {0, size - 1, size // 2, size // 3}
        root = root_of(leaves)
        for position, path in audit_paths(iter(leaves), wanted).items():
            verify_inclusion(position, size, leaves[position], path, root)
