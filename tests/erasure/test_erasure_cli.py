"""Contact addresses, forgetting, holds and pruning from the command line, on a home at rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affiant.app import main
from affiant.kit.home import Home, open_home
from affiant.ledger import LedgerReader, verify_home
from affiant.proof.sealed import check_reveal

PEOPLE = """
people:
  - {id: ann, roles: [admin]}
  - {id: bo, roles: [compliance]}
  - {id: fay, roles: [privacy]}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'outside' / 'unlock'}")
    (tmp_path / "people.yaml").write_text(PEOPLE)
    assert main(["init", "--home", str(tmp_path / "home"), "--origin", "test.example/erasure-cli"]) == 0
    assert main(["apply", str(tmp_path / "people.yaml"), "--home", str(tmp_path / "home"), "--as", "ann"]) == 0
    return open_home(tmp_path / "home")


def test_contact_hold_forget_and_prune(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Set, shown with a proof that holds, blocked by a hold, forgotten; pruning says why it may not; the home verifies."""

    def run(words: str, person: str) -> tuple[int, dict[str, object]]:
        capsys.readouterr()
        code = main([*words.split(), "--home", str(home.root), "--as", person])
        printed = capsys.readouterr().out.splitlines()
        return code, json.loads(printed[-1]) if printed else {}

    assert run("person contact bo --set bo@example.org", "ann")[0] == 0
    code, shown = run("person contact bo", "fay")
    assert (code, shown["contact"]) == (0, "bo@example.org")
    proof = shown["proof"]
    assert isinstance(proof, dict)
    assert isinstance(shown["index"], int)
    check_reveal(LedgerReader(home).event(shown["index"]).body["contact"], proof["salt"], proof["value"])
    _, hold = run("ledger hold place --scope person/bo --why case17", "bo")
    assert run("person forget bo --why asked", "fay")[0] == 2
    assert run(f"ledger hold release {hold['id']} --why over", "fay")[0] == 0
    assert run("person forget bo --why asked", "ann")[0] == 2
    assert run("person forget bo --why asked", "fay") == (0, {"subject": "person/bo", "values": 1})
    assert run("person contact bo", "bo")[0] == 2
    assert run("ledger erasures", "fay") == (0, {"subjects": []})
    code, plan = run("ledger prune --before 2026-01-01 --dry-run", "bo")
    assert code == 1
    assert "no period was ever opened" in str(plan["refused"])
    assert run("ledger prune --before 2026-01-01", "bo")[0] == 2
    assert run("ledger hold list", "bo")[1] == {"holds": []}
    report = verify_home(home)
    assert report.good, report.lines()
