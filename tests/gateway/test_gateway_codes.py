"""The table of codes, its documentation, and the code that uses it agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from affiant.gateway import CODES
from affiant.gateway.addresses import allowed
from affiant.gateway.codes import GUARD_REASONS
from affiant.guards import CONTROLS

ROOT = Path(__file__).parents[2]


def test_every_code_is_documented_as_it_is() -> None:
    """docs/reference/gateway.md lists exactly the codes of the table, with status, type, control and words."""
    text = (ROOT / "docs/reference/gateway.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \| (\S+) \| (.+) \|$", text, re.M)
    want = [(c.code, str(c.status), c.type, c.control or "–", f"{c.message} {c.next_step}") for c in CODES.values()]
    assert rows == want


def test_every_code_is_given_somewhere_and_every_given_code_is_known() -> None:
    """No code is dead, none is invented in passing."""
    files = (ROOT / "src/affiant/gateway").rglob("*.py")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files if path.name != "codes.py")
    given = set(re.findall(r'Refusal\(\s*"(\w+)"', sources)) | set(re.findall(r'CODES\["(\w+)"\]', sources))
    assert given <= set(CODES)
    assert all(f'"{code}"' in sources or code in GUARD_REASONS for code in CODES)


def test_messages_name_the_control_and_a_next_step() -> None:
    """Each error tells its reader what refused and what to do."""
    for code in CODES.values():
        assert code.control in code.text and code.next_step.endswith(".") and code.message.endswith(".")
    assert set(CONTROLS.values()) <= {code.control for code in CODES.values()}


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("127.0.0.1", False, True),
        ("10.0.0.8", False, True),
        ("169.254.169.254", False, False),
        ("0.0.0.0", False, False),
        ("::1", False, True),
        ("fe80::1%eth0", False, False),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:7f00:1::", False, True),
        ("100.64.0.1", False, True),
        ("224.0.0.1", False, False),
        ("2606:2800:220:1:248:1893:25c8:1946", True, True),
        ("fd00:ec2::254", False, True),
    ],
)
def test_addresses_are_judged_by_where_they_lead(address: str, public: bool, private: bool) -> None:
    """Wrapped and translated addresses are unwrapped first; link-local never passes."""
    assert (allowed(address, private=False), allowed(address, private=True)) == (public, private)
