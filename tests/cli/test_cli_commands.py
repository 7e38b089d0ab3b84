"""Commands on a home that nothing serves: what they print, what they leave in the ledger, and how they refuse."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from affiant.app import main
from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import LedgerReader
from affiant.records import Records

COMPANY = """
people: [{id: ann, roles: [compliance, admin]}, {id: bob, roles: [compliance, operator]}, {id: cat, roles: [developer]}]
providers:
  - {id: harbor, kind: openai, base_url: "http://127.0.0.1:9/v1", secret_ref: "env:X", region: eu, network: private, labels: [internal]}
models: [{id: scribe, provider: harbor, upstream: s1, version: "1.0", approved_by: bob}]
routes: [{id: help, models: [scribe], policy: default, mode: enforce, label: internal}]
keys: [{id: app, owner: cat, tenant: acme, models: [help]}]
"""


@dataclass
class Shell:
    """Runs commands in this process and remembers what they printed."""

    root: Path
    capture: pytest.CaptureFixture[str]
    code: int = 0
    out: str = ""
    err: str = ""

    def __call__(self, *arguments: str) -> Any:
        """Run one; gives the last JSON line of standard output, or None."""
        self.code = main(list(arguments))
        self.out, self.err = self.capture.readouterr()
        lines = [line for line in self.out.splitlines() if line.startswith(("{", "["))]
        return json.loads(lines[-1]) if lines else None

    def types(self) -> list[str]:
        reader = LedgerReader(open_home(self.root / "home"))
        return [reader.event(index).type for index in range(reader.size)]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    monkeypatch.setenv("AFFIANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    monkeypatch.setenv("AFFIANT_PORT", "0")
    yield Shell(tmp_path, capsys)


@pytest.fixture
def company(shell: Shell) -> Shell:
    """A home with its first people."""
    shell("init", "--origin", "test/cli")
    (shell.root / "company.yaml").write_text(COMPANY, encoding="utf-8")
    shell("apply", str(shell.root / "company.yaml"), "--as", "ann")
    assert shell.code == 0, shell.err
    return shell


def test_init_makes_a_home_once(shell: Shell) -> None:
    """The first init prints home, origin and key; a second one refuses and changes nothing."""
    made = shell("init", "--origin", "test/cli")
    assert shell.code == 0 and made["origin"] == "test/cli" and made["log_vkey"].startswith("test/cli+")
    assert shell.types()[:2] == ["ledger.created", "producer.started"] and "control.adopted" in shell.types()
    before = shell.types()
    assert shell("init", "--origin", "test/cli") is None
    assert shell.code == 2 and "not empty" in shell.err and shell.types() == before


@pytest.mark.parametrize("origin", ["a b", "a+b", "x" * 200])
def test_a_bad_origin_leaves_nothing_behind(shell: Shell, origin: str) -> None:
    """An origin that no checkpoint can carry is refused before anything is made."""
    shell("init", "--origin", origin)
    assert shell.code == 2 and not (shell.root / "home").exists()


def test_a_witness_out_of_reach_stops_init(shell: Shell) -> None:
    """Whether a witness knows a longer ledger could not be looked at: exit 3, nothing made."""
    shell("init", "--origin", "test/cli", "--witness", "w.example/1+00000000+BAAA@http://127.0.0.1:9")
    assert shell.code == 3 and not (shell.root / "home").exists()


def test_apply_gives_secrets_once_and_then_changes_nothing(company: Shell) -> None:
    """The first apply is the bootstrap and shows a key's secret; the same file again changes nothing."""
    done = company("apply", str(company.root / "company.yaml"), "--as", "ann")
    assert done["bootstrap"] is False and done["secrets"] == []
    assert {item["action"] for item in done["planned"]} == {"unchanged"}
    assert "key.created" in company.types()


def test_apply_names_every_fault(company: Shell) -> None:
    """A file with several faults is refused whole, each fault on a line of its own."""
    (company.root / "bad.yaml").write_text("people: [{id: dan, roles: [king]}]\nmodels: [{id: m, provider: nowhere}]\n", encoding="utf-8")
    before = company.types()
    company("apply", str(company.root / "bad.yaml"), "--as", "ann")
    assert company.code == 2 and "king" in company.err and "models" in company.err
    assert set(company.types()[len(before) :]) <= {"producer.started", "producer.ended"}


def test_a_change_needs_a_second_person(company: Shell) -> None:
    """Propose, refuse the author's own approval, approve by another, activate."""
    (company.root / "limit.yaml").write_text("{scope: all, unit: requests, window: 60, value: 100}", encoding="utf-8")
    proposed = company("change", "propose", "limit", "--file", str(company.root / "limit.yaml"), "--as", "bob")
    assert company.code == 0, company.err
    company("change", "approve", proposed["id"], "--as", "bob")
    assert company.code == 2 and "author" in company.err
    assert company("change", "approve", proposed["id"], "--as", "ann")["state"] == "approved"
    assert company("change", "activate", proposed["id"], "--as", "bob")["state"] == "activated"
    listed = company("change", "list", "--state", "activated", "--json")
    assert proposed["id"] in [change["id"] for change in listed["changes"]]
    assert company.types().count("limit.set") == 1 and "access.denied" in company.types()


def test_keys_are_made_listed_rotated_and_revoked(company: Shell) -> None:
    """A secret is printed when a key is made and never again; a revoked key says so."""
    made = company("key", "create", "--models", "help", "--owner", "cat", "--tenant", "acme", "--json")
    assert set(made) == {"key_id", "secret"} and made["secret"] not in json.dumps(company("key", "list", "--json"))
    turned = company("key", "rotate", made["key_id"])
    assert turned["key_id"] != made["key_id"]
    company("key", "revoke", turned["key_id"], "--why", "test")
    states = {key["id"]: key["state"] for key in company("key", "list", "--json")["keys"]}
    assert states[made["key_id"]] == states[turned["key_id"]] == "revoked"
    company("key", "create", "--models", "nowhere", "--owner", "cat")
    assert company.code == 2 and "nowhere" in company.err


def test_looking_writes_nothing(company: Shell) -> None:
    """Status, lists and doctor leave no entry behind."""
    before = company.types()
    for command in (
        ["status", "--json"],
        ["key", "list"],
        ["person", "list"],
        ["change", "list"],
        ["control", "list"],
        ["doctor", "--json"],
    ):
        company(*command)
        assert company.code == 0 or command[0] == "doctor", (command, company.err)  # a port may be in use here
    assert company.types() == before


def test_usage_is_imported_once(company: Shell) -> None:
    """The same rows again record nothing; a bad row stops the file."""
    good, bad = company.root / "usage.csv", company.root / "bad.csv"
    good.write_text("provider,account,day,requests\nharbor,main,20260101,7\n", encoding="utf-8")
    bad.write_text("provider,account,day,requests\nharbor,main,20260102,many\n", encoding="utf-8")
    assert company("usage", "import", str(good), "--as", "bob")["recorded"] == 1
    assert company("usage", "import", str(good), "--as", "bob")["recorded"] == 0
    company("usage", "import", str(bad), "--as", "bob")
    assert company.code == 2 and "many" in company.err


def test_controls_run_without_anything_served(company: Shell) -> None:
    """A control runs in the command's own process; its entries are in the ledger under a signed checkpoint."""
    (company.root / "limit.yaml").write_text("{scope: all, unit: requests, window: 60, value: 100}", encoding="utf-8")
    change = company("change", "propose", "limit", "--file", str(company.root / "limit.yaml"), "--as", "bob")["id"]
    company("change", "approve", change, "--as", "ann")
    company("change", "activate", change, "--as", "bob")
    line = company("control", "run", "PI-5.1", "--period", "2020-01-01..2099-12-31", "--as", "ann")
    assert line["control"] == "PI-5.1" and line["population"]["rows"] > 0 and "run" in line
    assert line["result"] == "no deviations noted" and line["notes"] == []
    assert {"population.frozen", "procedure.run"} <= set(company.types())
    company("ledger", "verify")
    assert company.code == 0, company.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ledger", "show", "--exchange", "ex_none"], 2, "no entry about"),
        (["ledger", "show"], 2, "either --index N or --exchange ID"),
        (["ledger", "prove", "999999"], 2, "no entry 999999"),
        (["control", "run", "--period", "2026-01-01..2026-01-02"], 2, "or --all"),
        (["control", "run", "NO-1.1", "--period", "2026-01-01..2026-01-02"], 2, "no control NO-1.1"),
        (["control", "run", "--all", "--period", "yesterday"], 2, "no period"),
        (["control", "run", "PI-5.1", "--period", "2026-01-01..2026-01-02", "--as-of", "2001-01-01"], 3, "older than"),
        (["affidavit", "build", "--period", "2026-01-01..2026-01-02", "--out", "/nowhere/x"], 2, "no folder"),
        (["person", "link", "ann"], 2, "affiant serve"),
        (["key", "revoke", "nobody"], 2, "no key"),
        (["change", "approve", "chg_none", "--as", "ann"], 2, "no change"),
        (["status", "--home", "/nowhere/at/all"], 2, "no Affiant home"),
        (["apply", "/nowhere.yaml"], 2, "does not exist"),
        (["frobnicate"], 2, "No such command"),
    ],
)  # fmt: skip
def test_bad_use_is_one_sentence_and_what_to_do(company: Shell, arguments: list[str], code: int, words: str) -> None:
    """Expected errors have an exit code, a sentence on standard error, no traceback and no JSON."""
    company(*arguments)
    assert company.code == code, company.err
    assert words in company.err and "Traceback" not in company.err and company.out == ""


def test_doctor_names_all_faults_at_once(company: Shell) -> None:
    """A home with three things wrong gets three faults in one run, each with what to do."""
    home = company.root / "home"
    (company.root / "unlock").write_text("another secret", encoding="utf-8")
    os.chmod(home / "keys" / "keyring", 0o644)
    (home / "records.db").write_bytes(b"this is no database" * 100)
    report = company("doctor", "--json")
    faults = {fault["check"]: fault for fault in report["faults"]}
    assert company.code == 1 and {"keys", "permissions", "records"} <= set(faults)
    assert all(fault["do"] for fault in faults.values())


def put_older_version_in_force(company: Shell, control: str) -> None:
    """Leave the home as an older program would have: another version of a control is in force."""
    home = open_home(company.root / "home")
    records = Records(home, open_keyring(home), open_clock())
    now = next(each for each in records.adopted_controls() if each.id == control)
    records.adopt_controls([(control, now.version + 7, "0" * 64, list(now.schedule))])
    records.close()


def test_a_changed_control_is_named_and_adopted_by_a_person(company: Shell) -> None:
    """After an upgrade doctor names the control, adopting it writes who did it, and a second time changes nothing."""
    assert not [check for check in company("doctor", "--json")["faults"] if check["check"] == "controls"]
    put_older_version_in_force(company, "PI-5.1")
    fault = next(check for check in company("doctor", "--json")["faults"] if check["check"] == "controls")
    assert "PI-5.1" in fault["what"] and "control adopt" in fault["do"] and "PI-6.1" not in fault["what"]
    company("control", "adopt", "--all", "--as", "cat")
    assert company.code == 2 and "compliance" in company.err
    assert [each["id"] for each in company("control", "adopt", "PI-5.1", "--as", "ann")["adopted"]] == ["PI-5.1"]
    reader = LedgerReader(open_home(company.root / "home"))
    newest = [event for _, event in reader.of_types("control.adopted")][-1]
    assert (newest.ref, newest.actor) == ("PI-5.1", "person:ann")
    assert company("control", "adopt", "--all", "--as", "ann")["adopted"] == []
    assert not [check for check in company("doctor", "--json")["faults"] if check["check"] == "controls"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--as", "ann"], "Nothing or too much"), (["--all", "PI-5.1", "--as", "ann"], "Nothing or too much"),
     (["--all"], "--as"), (["NO-1.1", "--as", "ann"], "no control NO-1.1")],
)  # fmt: skip
def test_adopting_needs_a_person_and_a_control(company: Shell, arguments: list[str], words: str) -> None:
    """Neither nothing, nor both, nor an unknown control, nor the machine alone puts a version into force."""
    before = company.types()
    company("control", "adopt", *arguments)
    assert company.code == 2 and words in company.err and company.types().count("control.adopted") == before.count("control.adopted")


def test_an_auditors_seed_is_in_the_sample(company: Shell) -> None:
    """A seed given on the command line is recorded as auditor-chosen; without one this machine chooses."""
    (company.root / "limit.yaml").write_text("{scope: all, unit: requests, window: 60, value: 100}", encoding="utf-8")
    made = company("change", "propose", "limit", "all.requests", "--file", str(company.root / "limit.yaml"), "--as", "cat")
    company("change", "approve", made["id"], "--as", "bob")
    company("change", "activate", made["id"], "--as", "cat")
    assert company.code == 0, company.err
    day = time.strftime("%Y-%m-%d", time.gmtime())
    for more in ([], ["--seed", "dice: 4 1 6 6 2"]):
        company("control", "run", "PI-5.1", "--period", f"{day}..{day}", "--as", "ann", *more)
        assert company.code in (0, 1), company.err
    company("control", "run", "PI-5.1", "--period", f"{day}..{day}", "--seed", " ")
    assert company.code == 2 and "seed" in company.err
    drawn = [event.body for _, event in LedgerReader(open_home(company.root / "home")).of_types("sample.drawn")]
    assert [body["seed_kind"] for body in drawn] == ["management-chosen", "auditor-chosen"]
    assert drawn[1]["seed"] == "dice: 4 1 6 6 2"


def test_doctor_without_a_home_says_so(shell: Shell) -> None:
    """Where there is nothing to look at, that is the one fault."""
    report = shell("doctor", "--json")
    assert shell.code == 1 and [fault["check"] for fault in report["faults"]] == ["home"]


def test_a_changed_entry_is_found(company: Shell) -> None:
    """One flipped byte in a segment makes verify give 1 and name the step."""
    segment = next((company.root / "home" / "segments").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    at = data.index(b"control.adopted")
    data[at] ^= 1
    segment.write_bytes(bytes(data))
    report = company("ledger", "verify")
    assert company.code == 1 and report["good"] is False
    assert any(step["outcome"] == "contradicted" for step in report["steps"])


def test_the_shipped_catalog_has_no_fault(shell: Shell) -> None:
    """The library that travels with the program is sound."""
    found = shell("catalog", "check", "--json")
    assert shell.code == 0 and found["criteria"] == 61 and found["controls"] == 8 and found["faults"] == []


def test_a_witness_key_is_stable(shell: Shell) -> None:
    """Asking again gives the same verifier key; a log is added once."""
    folder = str(shell.root / "witness")
    first = shell("witness", "key", "--dir", folder, "--name", "w.example/1")
    assert shell("witness", "key", "--dir", folder, "--name", "w.example/1") == first
    vkey = shell("init", "--origin", "test/cli")["log_vkey"]
    assert shell("witness", "add", vkey, "--dir", folder)["logs"] == [vkey]
    assert shell("witness", "add", vkey, "--dir", folder)["logs"] == [vkey]
