"""Granulated Kendall coefficients against explicit loops, and their invariances."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_cli.ranking import kendall, sums
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.overall import overall
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.values import canonical, codes
from tests.ranking.oracle import (
    axes,
    axis_value,
    close,
    group_tau,
    paper_grid,
    random_table,
    rank_rows,
)


@pytest.mark.parametrize("convention", ["paper", "reference"])
@pytest.mark.parametrize("seed", range(12))
def test_loops_agree(seed, convention):
    random = np.random.default_rng(seed)
    table, values, target = random_table(
        random, models=int(random.integers(2, 70)), missing=float(random.choice([0, 0.1, 0.7])), seeds=1 + seed % 3
    )
    rows = rank_rows(table, values, target, convention)
    for k, row in enumerate(rows):
        psis = []
        assert list(row["axes"]) == axes(table.hparams)
        for name, cell in row["axes"].items():
            psi, groups, pairs, ties, _ = axis_value(table.hparams, name, values[:, k], target, convention)
            assert close(cell["psi"], psi)
            assert (cell["groups"], cell["pairs"], cell["ties"]) == (groups, pairs, ties)
            psis += [psi] if psi is not None else []
        assert close(row["Psi"], statistics.fmean(psis) if psis else None)
        assert close(row["tau"], group_tau(range(len(target)), values[:, k], target, convention)[0])
        assert row["models"] == sum(not math.isnan(v) for v in values[:, k])


@pytest.mark.parametrize("convention", ["paper", "reference"])
@pytest.mark.parametrize("models", [2, 3, 17, 300])
@pytest.mark.parametrize("distinct", [2, 40, None])
def test_tau_over_all_pairs(models, distinct, convention):
    """Ties in the measure, in the target, in both, nowhere; missing values; buckets of several sizes."""
    random = np.random.default_rng(models)
    values, target = random.normal(size=(models, 5)), random.normal(size=models)
    if distinct:
        values, target = (np.round(x * distinct / 6) for x in (values, target))
    values[:, 2] = 1.0
    values[random.random(models) < 0.3, 3] = np.nan
    values[:, 4] = np.nan
    for goal in (target, random.permutation(models).astype(float)):
        found = overall(values, goal, convention)
        for k in range(5):
            expected, _, _ = group_tau(range(models), values[:, k], goal, convention)
            assert found[k] == pytest.approx(math.nan if expected is None else expected, abs=1e-15, nan_ok=True)


def test_chunks_of_columns_change_nothing(monkeypatch):
    table, values, target = random_table(np.random.default_rng(5), measures=7)
    whole = rank_rows(table, values, target)
    for module in (kendall, sums):
        monkeypatch.setattr(module, "CELLS_AT_ONCE", 2 * len(target))
    for row, other in zip(whole, rank_rows(table, values, target), strict=True):
        assert row["tau"] == other["tau"] and close(other["Psi"], row["Psi"])
        for name, cell in row["axes"].items():
            assert {**cell, "psi": 0} == {**other["axes"][name], "psi": 0}
            assert close(other["axes"][name]["psi"], cell["psi"])


def test_groups_of_the_papers_grid():
    grid = paper_grid()
    hparams = {name: tuple(config[name] for config in grid) for name in grid[0]}
    table = ModelTable(tuple(map(str, range(192))), hparams, (), np.empty((192, 0)))
    assert [axis.groups for axis in axes_of(table)] == [48, 96, 48, 96, 48, 48, 64, 64]


def test_a_pair_tied_in_both_counts_in_one_convention_alone():
    table = ModelTable(("a", "b", "c"), {"lr": (1, 2, 3)}, (), np.empty((3, 0)))
    values, target = np.array([[1.0], [1.0], [2.0]]), np.array([5.0, 5.0, 6.0])
    paper, reference = (rank_rows(table, values, target, c)[0]["axes"]["lr"] for c in ("paper", "reference"))
    assert paper == {"psi": pytest.approx(2 / 3), "groups": 1, "pairs": 3, "ties": 1}
    assert reference == {"psi": 1.0, "groups": 1, "pairs": 2, "ties": 1}


def test_axis_without_groups_is_shown_and_left_out():
    table = ModelTable(("a", "b", "c"), {"x": (0, 1, 1), "y": (0, 1, 1), "z": (5, 5, 6)}, (), np.empty((3, 0)))
    row = rank_rows(table, np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 2.0]))[0]
    assert row["axes"]["x"] == {"psi": None, "groups": 0, "pairs": 0, "ties": 0}
    assert row["axes"]["z"]["psi"] == 1.0 == row["Psi"]


def test_numbers_compare_as_numbers():
    assert codes(["0.1", 0.1, "1e-1", "0.10 "]).tolist() == [0, 0, 0, 0]
    assert codes(["True", True, "sgd", " sgd", 1]).tolist() == [0, 0, 1, 1, 2]
    assert codes([None, "", "nan", float("nan"), 0]).tolist() == [0, 0, 0, 0, 1]
    assert canonical("1_0") == "1_0" and canonical([1, 2]) == "[1, 2]"


tables = st.tuples(st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0, 0.5))


@settings(max_examples=40, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(drawn, shuffler):
    seed, models, missing = drawn
    table, values, target = random_table(np.random.default_rng(seed), models=models, missing=missing)
    order = list(range(models))
    shuffler.shuffle(order)
    moved = rank_rows(table.take(np.array(order)), values[order], target[order])
    for row, other in zip(rank_rows(table, values, target), moved, strict=True):
        assert {**row, "axes": 0, "Psi": 0} == {**other, "axes": 0, "Psi": 0}
        assert close(other["Psi"], row["Psi"])
        for name, cell in row["axes"].items():
            assert {**cell, "psi": 0} == {**other["axes"][name], "psi": 0}
            assert close(other["axes"][name]["psi"], cell["psi"])


@settings(max_examples=40, deadline=None)
@given(tables)
def test_sign_and_monotone_transforms(drawn):
    seed, models, missing = drawn
    table, values, target = random_table(np.random.default_rng(seed), models=models, missing=missing)
    rows = rank_rows(table, values, target)
    assert rank_rows(table, np.exp(values) - 7, target**3) == rows
    for row, flipped in zip(rows, rank_rows(table, -values, target), strict=True):
        for name, cell in row["axes"].items():
            assert close(flipped["axes"][name]["psi"], None if cell["psi"] is None else -cell["psi"])
            assert flipped["axes"][name]["ties"] == cell["ties"]


def test_a_measure_that_is_the_target_scores_one():
    table, _, _ = random_table(np.random.default_rng(0), models=60)
    target = np.random.default_rng(1).permutation(60).astype(float)
    row = rank_rows(table, np.column_stack([target, -target]), target)
    assert row[0]["Psi"] == row[0]["tau"] == 1.0
    assert row[1]["Psi"] == row[1]["tau"] == -1.0
