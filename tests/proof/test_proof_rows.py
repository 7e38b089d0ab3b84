"""Canonical JSON, bundles, rows, draws, CSV: fixed bytes that cannot be read in two ways."""

from __future__ import annotations

import hashlib
import hmac
import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.proof import canonical, population, tables, tiles
from affiant.proof.beside import side_by_side
from affiant.proof.draw import draw
from affiant.proof.errors import CouldNotLook, Malformed
from affiant.proof.results import Counts, control_result
from affiant.proof.shapes import LEARN_AT, Shapes

VALUES = st.recursive(
    st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z0-9_]+", fullmatch=True), inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_canonical_json_is_what_the_ledger_writes(value: object) -> None:
    """Any value gives the same bytes here and from the ledger's encoder, and is read back as it was."""
    data = canonical.dumps(value)
    assert data == msgspec.json.Encoder(order="sorted").encode(value)
    assert canonical.loads(data) == value


@pytest.mark.parametrize("data", [
    b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":1}', b'{"A":1}', b'{"a":1.0}', b'{"a":1e3}', b'{"a":true}', b"null", b'{"a":-0}',
    b'{"a":01}',
    b'{"a":9007199254740992}', b'{"a":"\\u0041"}', b'{"a":"\\/"}', b'"\\ud800"', b"\xff", b"", b'{"a":NaN}', b'{"a":1}\n',
    b"[" * 5000 + b"]" * 5000,
])  # fmt: skip
def test_json_written_in_another_way_is_refused(data: bytes) -> None:
    """One value has one form; every other is refused."""
    with pytest.raises(Malformed):
        canonical.loads(data)


@pytest.mark.parametrize("number", [0, 1, -1, 10**14, 10**15, 8 * 10**15, 2**53 - 1, -(10**15)])
def test_entries_of_one_shape_are_read_quickly_whatever_their_integers(number: int) -> None:
    """Also those of a process whose clock stopped at 2^53 - 1, after 104 days."""

    def entry(mono: int, seq: int) -> bytes:
        return canonical.dumps({"v": 1, "type": "t", "tv": 1, "producer": "n/g/a", "seq": seq, "at": 1_790_000_000_000_000, "mono": mono})

    shapes = Shapes(lambda _: ())
    for seq in range(LEARN_AT):
        shapes.learn(Shapes.key(entry(5, seq)), canonical.loads(entry(5, seq)))
    met = shapes.match(Shapes.key(entry(number, 9)), entry(number, 9))
    assert met is not None and str(number) in met[1]


@pytest.mark.parametrize(
    "number", [b"9007199254740992", b"-9007199254740992", b"9900000000000000", b"01", b"-0", b"1.0", b"1e3", b"10000000000000000"]
)
def test_what_is_no_integer_of_the_form_matches_no_shape(number: bytes) -> None:
    """A shape is never laxer than the strict reading."""
    entry = canonical.dumps({"v": 1, "type": "t", "tv": 1, "producer": "n/g/a", "seq": 3, "at": 4, "mono": 5})
    shapes = Shapes(lambda _: ())
    for _ in range(LEARN_AT):
        shapes.learn(Shapes.key(entry), canonical.loads(entry))
    other = entry.replace(b'"mono":5', b'"mono":' + number)
    assert shapes.match(Shapes.key(entry), entry) is not None and shapes.match(Shapes.key(other), other) is None
    with pytest.raises(Malformed):
        canonical.loads(other)


def test_words_of_json_inside_strings_are_no_literals() -> None:
    """A text may say true."""
    assert canonical.loads(b'{"a":"true or null"}') == {"a": "true or null"}


def test_bundles_and_paths_follow_tlog_tiles() -> None:
    """Lengths are two bytes, big endian; numbers are in groups of three; partial tiles carry their width."""
    entries = [b"", b"a", b"x" * 65_535]
    assert tiles.unpack_bundle(tiles.pack_bundle(entries)) == entries
    assert tiles.tile_path(1, 1_234_067) == "tile/1/x001/x234/067"
    assert tiles.bundle_path(5, 7) == "tile/entries/005.p/7"
    for bad in (b"\x00", b"\x00\x02a", tiles.pack_bundle(entries)[:-1]):
        with pytest.raises(Malformed):
            tiles.unpack_bundle(bad)
    with pytest.raises(Malformed):
        tiles.pack_bundle([b"x" * 65_536])


def test_rows_are_48_bytes_in_strict_order() -> None:
    """A row packs and unpacks; repeated and disordered rows are refused."""
    row = population.row_bytes(7, b"l" * 32, 9)
    assert len(row) == population.ROW_BYTES and population.parse_row(row) == (7, b"l" * 32, 9)
    population.check_order([(1, 0), (1, 1), (2, 0)])
    for keys in ([(1, 0), (1, 0)], [(2, 0), (1, 0)], [(1, -1)]):
        with pytest.raises(Malformed):
            population.check_order(keys)
    for bad in ((-1, 0), (2**64, 0)):
        with pytest.raises(Malformed):
            population.row_bytes(bad[0], b"l" * 32, bad[1])


def test_item_lines_cannot_be_read_in_two_ways() -> None:
    """A reason is a short code without commas or line breaks, an item 0, 1 or 2."""
    assert population.item_line(1, 2, 1, "late") == b"1,2,1,late\n"
    for item, why in ((3, ""), (1, "a,b"), (1, "a\nb"), (1, 'a"b')):
        with pytest.raises(Malformed):
            population.item_line(1, 2, item, why)


def test_a_draw_is_the_lowest_by_hmac() -> None:
    """Anyone gets the same rows from the same seed; another seed gives others; there are never more than rows."""
    rows = [population.row_bytes(number, b"l" * 32, 0) for number in range(100)]
    expected = sorted(rows, key=lambda row: hmac.new(b"seed", row, hashlib.sha256).digest())
    assert draw(b"seed", rows, 25) == expected[:25]
    assert draw(b"other", rows, 25) != expected[:25]
    assert len(draw(b"seed", rows, 500)) == 100
    with pytest.raises(Malformed):
        draw(b"", rows, 5)


def test_csv_cells_are_quoted_and_disarmed() -> None:
    """Cells with separators are quoted, and what a spreadsheet would run gets an apostrophe."""
    rows = [(-1, "=cmd()"), (2, 'say "hi", x'), (3, "é")]
    expected = [b"-1,'=cmd()\n", b'2,"say ""hi"", x"\n', "3,é\n".encode()]
    assert tables.csv_header(["a", "b"]) == b"a,b\n"
    assert tables.csv_part(rows) == b"".join(expected)
    assert [tables.csv_part([row]) for row in rows] == expected


def test_a_result_follows_the_precedence() -> None:
    """Deviations come before what could not be tested, a sequence gap before no occurrence."""
    assert control_result(Counts(5, 1, 1)) == "deviations noted"
    assert control_result(Counts(5, 0, 1)) == "not tested"
    assert control_result(Counts(5, 0, 0), sequence_good=False) == "not tested"
    assert control_result(Counts(0, 0, 0), sequence_good=False) == "not tested"
    assert control_result(Counts(0, 0, 0)) == "no occurrence in period"
    assert control_result(Counts(5, 0, 0)) == "no deviations noted"


def test_a_process_that_dies_is_said_to_have_died() -> None:
    """A worker that is killed ends in words, not in waiting for ever."""
    with pytest.raises(CouldNotLook, match="ended from outside"), side_by_side(1, os._exit, [(9,), (9,)]) as results:
        next(results)()
    with side_by_side(2, divmod, [(7, 2), (9, 4)]) as results:
        assert [result() for result in results] == [(3, 1), (2, 1)]
