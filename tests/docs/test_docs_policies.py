"""The page about policies cannot lie: each policy on it is taken in as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from affiant.gateway.policies import judge_detectors, read_policy
from affiant.records import load_policy_file

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.startswith("id: ")], ids=lambda text: text.split()[1])
def test_every_policy_on_the_page_is_taken_in(example: str, tmp_path: Path) -> None:
    """It reads without a fault, and guards can follow it."""
    file = tmp_path / "policy.yaml"
    file.write_text(example, encoding="utf-8")
    assert read_policy(load_policy_file(file, judge_detectors)).guards
