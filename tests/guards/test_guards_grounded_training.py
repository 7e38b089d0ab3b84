"""Training of the groundedness model: made rows, trees that mean the same when laid flat, and a sum that knows no source."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra `train` is not installed")

from training.grounded.data import Row
from training.grounded.fit import MONOTONE, Table, choose_threshold, flatten, grow, weigh_rows
from training.grounded.leave_out import accuracy_beyond, left_out
from training.grounded.line import draw_line
from training.grounded.spoil import spoiled

from affiant.guards.grounded.features import NAMES
from affiant.guards.grounded.line import Line
from affiant.guards.grounded.trees import Trees, probability

CONTEXT = (
    "The bridge in Cologne was opened by Anna Schmidt in 1950 after a long delay. It does not carry any trains today at all."
    " The mayor of Bonn praised Peter Maier for his work on the 400 metre tower in 1980."
)
OTHER = "The lake near Zurich froze in 1963 and people walked over it. Klara Huber sold hot soup to 500 visitors every single day."


def rows(count: int = 40) -> list[Row]:
    return [
        Row(f"{CONTEXT} {OTHER} Note {number}.", "The bridge in Cologne was opened by Anna Schmidt in 1950.", "", 0, "WiCE/dev")
        for number in range(count)
    ]


def table(count: int = 400) -> Table:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(count, len(NAMES))).astype(np.float32)
    unsupported = (features[:, NAMES.index("recall.mean")] + 0.3 * rng.normal(size=count) < 0).astype(np.int64)
    group = np.array(["a", "b"])[rng.integers(0, 2, count)]
    return Table(features, unsupported, group, np.full(count, "qa"), np.arange(count) % 5 == 0, np.arange(count))


def test_made_rows_are_the_same_each_time_and_differ_from_their_claim() -> None:
    made = list(spoiled(rows(), 7))
    assert made == list(spoiled(rows(), 7))
    assert made != list(spoiled(rows(), 8))
    assert {row.unsupported for row in made} == {0, 1}
    assert all(row.claim != rows(1)[0].claim for row in made if row.unsupported)


def test_made_rows_lose_a_negation_and_change_a_number() -> None:
    claims = [row.claim for row in spoiled(rows(200), 7) if row.unsupported]
    assert any("It does carry any trains" in claim for claim in claims)
    assert any("Cologne" in claim and "1950" not in claim for claim in claims)


def test_flat_trees_give_what_the_grown_ones_do() -> None:
    data = table()
    model = grow(data, np.arange(len(data.unsupported)))
    flat = Trees(flatten(model), len(NAMES)).log_odds(data.features)
    assert flat == pytest.approx(model.decision_function(data.features), abs=1e-4)


def test_scores_are_of_a_model_that_did_not_see_the_part() -> None:
    data = table()
    scores = left_out(data, data.group)
    assert np.isnan(scores[data.made]).all()
    assert not np.isnan(scores[~data.made]).any()
    seen = np.flatnonzero(data.group != "a")
    mine = (data.group == "a") & ~data.made
    trees = grow(data, seen).decision_function(data.features[mine])
    line = Line(draw_line(data, seen), len(NAMES)).log_odds(data.features[mine])
    assert scores[mine] == pytest.approx(probability((trees + line) / 2))


def test_both_classes_of_a_source_weigh_alike() -> None:
    data = table()
    weights = weigh_rows(data, np.arange(len(data.unsupported)))
    for name in ("a", "b"):
        shares = [weights[(data.group == name) & ~data.made & (data.unsupported == value)].sum() for value in (0, 1)]
        assert shares[0] == pytest.approx(shares[1])


def test_the_threshold_of_a_group_is_chosen_on_the_others() -> None:
    data = table()
    scores = np.where(data.unsupported == 1, 0.7, 0.6)
    assert accuracy_beyond(data, scores) == 1.0
    moved = np.where(data.group == "a", scores + 0.2, scores)
    assert accuracy_beyond(data, moved) < 0.6


def test_made_rows_move_no_slope() -> None:
    data = table()
    every = np.arange(len(data.unsupported))
    whole, real = draw_line(data, every), draw_line(data, every[~data.made])
    assert all(np.array_equal(whole[name], real[name]) for name in whole)


def test_slopes_never_stand_against_their_sense_and_the_telling_feature_leads() -> None:
    data = table()
    slope = draw_line(data, np.arange(len(data.unsupported)))["line_slope"]
    assert (slope * MONOTONE >= 0).all()
    assert not slope[MONOTONE == 0].any()
    assert NAMES[int(np.abs(slope).argmax())] == "recall.mean"


def test_how_many_claims_of_a_source_are_wrong_moves_no_slope() -> None:
    data = table()
    chosen = np.flatnonzero(~data.made)
    right = chosen[(data.group[chosen] == "a") & (data.unsupported[chosen] == 0)]
    more = np.concatenate([chosen, right, right])
    first, second = draw_line(data, chosen), draw_line(data, more)
    size = (data.group[chosen] == "a").sum()
    assert size < (data.group[more] == "a").sum()
    assert second["line_slope"] == pytest.approx(first["line_slope"], abs=0.05)


def test_weights_give_made_rows_their_share() -> None:
    data = table()
    weights = weigh_rows(data, np.arange(len(data.unsupported)))
    assert weights[~data.made].mean() == pytest.approx(1.0)
    assert weights[data.made].sum() < weights[~data.made].sum()


def test_the_threshold_parts_what_can_be_parted() -> None:
    data = table()
    scores = np.where(data.unsupported == 1, 0.66, 0.6)
    assert 0.6 <= choose_threshold(data, scores) < 0.66


def test_features_are_bound_to_one_side_only() -> None:
    assert set(MONOTONE.tolist()) == {-1, 0, 1}
    assert len(MONOTONE) == len(NAMES)
