"""Words: states, figures and times as people read them; menu and addresses as docs/words.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from affiant.console import words
from affiant.console.csvfile import cell, csv_response
from affiant.console.pages import SPECS
from affiant.console.visit import _MENU
from affiant.proof.results import CONTROL_RESULTS

DOC = (Path(__file__).parents[2] / "docs" / "words.md").read_text()
AT = 1_795_430_467_218_904  # 23 Nov 2026, 10:41:07.218904 UTC


def test_times() -> None:
    """A time is a day, a month in letters, a year and UTC; its exact form goes to the microsecond."""
    assert words.when(AT) == "23 Nov 2026, 10:41 UTC"
    assert words.when_seconds(AT) == "23 Nov 2026, 10:41:07.218 UTC"
    assert words.exact(AT) == "2026-11-23T10:41:07.218904Z"


@pytest.mark.parametrize(
    ("days", "text"),
    [(0, "today 10:41"), (-1, "yesterday"), (-3, "3 days ago"), (1, "tomorrow 10:41"), (4, "Fri 27 Nov, 10:41"), (20, "13 Dec")],
)
def test_near_times(days: int, text: str) -> None:
    """Near times are said as seen from now, far ones as dates."""
    assert words.near(AT + days * words.DAY_US, AT) == text


def test_figures() -> None:
    """Thousands are separated; zero is a dash where zero is good news."""
    assert words.number(112406) == "112,406"
    assert words.figure(0) == "–" and words.figure(3) == "3"
    assert words.count(0, "row") == "no rows" and words.count(1, "row") == "1 row" and words.count(2, "entry", "entries") == "2 entries"
    assert words.groups("7c1e44b091fa" + "00" * 24 + "0d3e") == "7c1e 44b0 91fa … 0d3e"


def test_every_control_result_has_its_state() -> None:
    """Each control result that the ledger can hold is shown in its own words."""
    for result in CONTROL_RESULTS:
        state = words.result_state(result)
        assert state.word == result and state.key in words.CONTROL_RESULTS


def test_unknown_states_keep_their_word() -> None:
    """A state that this version does not know is shown by its own word, never as a good one."""
    state = words.result_state("something new")
    assert state.word == "something new" and state.tone == "quiet"
    assert words.item_state(7).tone == "quiet"


def test_states_are_told_apart_without_colour() -> None:
    """Results differ by shape or, where the shape is shared, by word."""
    seen = [(words.STATES[key].shape, words.STATES[key].word) for key in (*words.CONTROL_RESULTS, "met", "deviation", "could_not_test")]
    assert len(seen) == len(set(seen))


def test_menu_and_addresses_are_documented() -> None:
    """Each line of the menu and each page stands in docs/words.md with its address, and the other way round."""
    rows = re.findall(r"^\|([^|]*)\| `(/[^`]*)` \|", DOC, re.M)
    menu = {(text, href) for _, items in _MENU for text, href, _ in items}
    assert {(text.strip(), href) for text, href in rows if text.strip()} == menu
    pages = {spec.path for spec in SPECS if spec.method == "GET" and not re.search(r"\.(csv|json)$|/raw$|^/fragments", spec.path)}
    assert {href for _, href in rows} == pages
    assert len({title for title, _ in _MENU}) <= 7


def test_documented_states_are_the_products() -> None:
    """The table of shapes says what is drawn."""
    for shape, listed in re.findall(r"^\| (circle|triangle|ring|dash|cross|square|diamond|flag) \| ([^|]+) \|", DOC, re.M):
        for word in listed.split("·"):
            found = [state for state in words.STATES.values() if state.word == word.strip()]
            assert found and all(state.shape == shape for state in found), (shape, word)


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_csv_cells_do_not_run(value: str) -> None:
    """A text that a spreadsheet would run is quoted; numbers stay numbers."""
    assert cell(value) == "'" + value
    assert cell(-1) == "-1"


def test_csv_says_when_it_was_cut() -> None:
    """A list too long for one file says so in its last line, and a name becomes no path."""
    answer = csv_response("x/../y", ("a",), ([n] for n in range(10)), limit=3)
    assert answer.body.decode().splitlines()[-1].startswith("cut after 3 rows")
    assert answer.headers["content-disposition"] == 'attachment; filename="x-..-y.csv"'
