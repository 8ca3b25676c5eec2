"""Intervals, mutual information, the PGDL score, the sign error and partial ranking against slow references."""

import csv
import itertools
import math
from collections import Counter

import numpy as np
import pytest

from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.information import conditional_information, pgdl_score, resampled
from icc_cli.ranking.pairs import Pairs
from icc_cli.ranking.partial import partial
from icc_cli.ranking.replicates import averaged
from icc_cli.ranking.resampling import Bootstrap, interval, multiplicities
from icc_cli.ranking.sign_error import sign_error
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.values import codes
from tests.ranking.oracle import PGDL, PGDL_HPARAMS, needs_pgdl, random_table, sign

PUBLISHED = {"VPM_1": 0.060700993773, "VPM_80": 0.056105256539, "VR": 0.093162888051, "WCV": 0.277451042877}


@needs_pgdl
@pytest.mark.parametrize("measure", PUBLISHED)
def test_published_pgdl_scores(measure):
    rows = list(csv.DictReader(PGDL.open()))
    hparams = {name: codes([row[name] for row in rows]) for name in PGDL_HPARAMS}
    values, target = (np.array([float(row[name]) for row in rows]) for name in (measure, "gen_gap"))
    assert abs(pgdl_score(values, target, hparams).score - PUBLISHED[measure]) < 5e-11


def entropy(counter):
    total = sum(counter.values())
    return -sum(n / total * math.log2(n / total) for n in counter.values())


def jiang(measure, target, hparams):
    """min over |S| <= 2 of I / H, from the triples (cell, V_m, V_t) of every ordered pair."""
    found = []
    for size in range(3):
        for names in itertools.combinations(hparams, size):
            cells = {}
            for a, b in itertools.permutations(range(len(target)), 2):
                cell = tuple((hparams[n][a], hparams[n][b]) for n in names)
                signs = sign(measure[a] - measure[b]), sign(target[a] - target[b])
                cells.setdefault(cell, []).append(signs)
            information = goal = 0.0
            pairs = len(target) * (len(target) - 1)
            for signs in cells.values():
                weight = len(signs) / pairs
                h_goal = entropy(Counter(t for _, t in signs))
                goal += weight * h_goal
                information += weight * (entropy(Counter(m for m, _ in signs)) + h_goal - entropy(Counter(signs)))
            if goal > 1e-12:
                found.append(information / goal)
    return min(found) if found else None


@pytest.mark.parametrize("seed", range(8))
def test_conditional_information_by_loops(seed):
    table, values, target = random_table(np.random.default_rng(seed), models=14, missing=0)
    hparams = {name: codes(cells) for name, cells in table.hparams.items() if name != "seed"}
    found = conditional_information(values[:, 0], target, hparams)
    assert found.score == pytest.approx(jiang(values[:, 0], target, hparams), abs=1e-10)


def test_information_of_a_perfect_and_of_a_constant_measure():
    table, _, target = random_table(np.random.default_rng(2), models=20, missing=0)
    hparams = {name: codes(cells) for name, cells in table.hparams.items()}
    assert conditional_information(target, target, hparams).score == pytest.approx(1)
    assert conditional_information(np.ones(20), target, hparams).score == pytest.approx(0)
    assert conditional_information(target, np.ones(20), hparams).score is None


def sign_errors(measure, target, hparams, samples, least):
    """The error of each pair of configurations that differ in one hyperparameter, by loops over their models."""
    names = [name for name in hparams if name != "seed"]
    models = {}
    for i in range(len(target)):
        models.setdefault(tuple(hparams[n][i] for n in names), []).append(i)
    errors = []
    for one, other in itertools.combinations(models, 2):
        if sum(a != b for a, b in zip(one, other, strict=True)) != 1:
            continue
        total = squares = wrong = 0.0
        for a, b in itertools.product(models[one], models[other]):
            sure = max(0.0, 1 - 2 * math.exp(-2 * samples * (abs(target[a] - target[b]) / 2) ** 2)) ** 2
            weight = max(sure - 0.5, 0.0)
            total, squares = total + weight, squares + weight**2
            wrong += weight * (1 - sign(measure[a] - measure[b]) * sign(target[a] - target[b])) / 2
        if squares and total**2 / squares >= least - 1e-9:
            errors.append(wrong / total)
    return errors


@pytest.mark.parametrize("seed", range(6))
def test_sign_error_by_loops(seed):
    random = np.random.default_rng(seed)
    grid = list(itertools.product(range(3), range(2), range(5)))
    hparams = {"lr": tuple(g[0] for g in grid), "wd": tuple(g[1] for g in grid)}
    target = random.normal(0, 0.05, len(grid)) + 0.03 * np.array(hparams["lr"])
    measure = np.round(target + random.normal(0, 0.05, len(grid)), 2)
    table = ModelTable(tuple(map(str, grid)), hparams, (), np.empty((len(grid), 0)))
    levels = {name: codes(cells) for name, cells in hparams.items()}
    found = sign_error(measure, target, axes_of(table), levels)
    expected = sign_errors(measure, target, hparams, 10_000, 12)
    assert found.environments == len(expected) > 0
    assert found.mean == pytest.approx(np.mean(expected))
    assert found.max == pytest.approx(max(expected))
    assert found.p90 == pytest.approx(np.percentile(expected * 2, 90))
    assert found.environments + found.dropped == 9


def test_sign_error_needs_seeds():
    table = ModelTable(("a", "b"), {"lr": (1, 2)}, (), np.empty((2, 0)))
    found = sign_error(np.array([0.0, 1.0]), np.array([0.0, 1.0]), axes_of(table), {"lr": np.array([0, 1])})
    assert (found.environments, found.dropped, found.mean) == (0, 1, None)


@pytest.mark.parametrize("seed", range(6))
def test_partial_is_a_regression_of_signs(seed):
    """The weighted correlation of the residuals of the pairs' signs, by explicit least squares."""
    random = np.random.default_rng(seed)
    table, values, target = random_table(random, missing=0.1)
    given = random.integers(0, 4, len(target)).astype(float)
    for axis in axes_of(table):
        found = partial(values, target, given, axis.blocks)
        for k in range(values.shape[1]):
            signs, weights = [], []
            groups = [[i for i in g if not math.isnan(values[i, k])] for block in axis.blocks for g in block.tolist()]
            for group in groups:
                pairs = list(itertools.combinations(group, 2))
                for a, b in pairs:
                    signs.append([sign(x[a] - x[b]) for x in (values[:, k], target, given)])
                    weights.append(1 / len(pairs))
            m, t, z = np.array(signs, dtype=float).reshape(-1, 3).T * np.sqrt(weights)
            rest = [x - z * (x @ z) / (z @ z) for x in (m, t)] if z @ z else [m, t]
            norm = math.sqrt((rest[0] @ rest[0]) * (rest[1] @ rest[1]))
            if norm > 1e-9:
                assert found[k] == pytest.approx(rest[0] @ rest[1] / norm)
            else:
                assert np.isnan(found[k])


def factorial(random, levels=(2, 2, 2, 2, 3), noise=1.0):
    """A full grid whose target and measures are sums of effects and independent noise of each model."""
    grid = np.array(list(itertools.product(*(range(n) for n in levels))), dtype=float)
    effects = np.array([0.3, 0.8, 0.0, 0.5, 0.4])
    target = grid @ effects + random.normal(0, noise, len(grid))
    good = grid @ effects + random.normal(0, noise, len(grid))
    bad = -0.3 * grid @ effects + random.normal(0, noise, len(grid))
    hparams = {f"h{i}": tuple(column) for i, column in enumerate(grid.T)}
    table = ModelTable(tuple(map(str, range(len(grid)))), hparams, (), np.empty((len(grid), 0)))
    return table, np.column_stack([good, bad]), target


def test_average_over_seeds_by_loops():
    table, values, _ = random_table(np.random.default_rng(7), models=60, missing=0.3, seeds=3)
    found, _ = averaged(table, "average")
    groups = {}
    for i in range(60):
        groups.setdefault(tuple(table.hparams[f"h{j}"][i] for j in range(3)), []).append(i)
    assert len(found) == len(groups) < 60
    assert "seed" not in found.hparams
    for row in range(len(found)):
        members = groups[tuple(found.hparams[f"h{j}"][row] for j in range(3))]
        for k in range(3):
            known = [values[i, k] for i in members if not math.isnan(values[i, k])]
            expected = sum(known) / len(known) if known else math.nan
            assert found.values[row, k] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("score", ["cmi", "pgdl"])
def test_resampled_information_is_that_of_the_repeated_models(score):
    """With every model once, the score itself; with some left out, the score of the others."""
    table, values, target = random_table(np.random.default_rng(4), models=24, missing=0)
    hparams = {name: codes(cells) for name, cells in table.hparams.items()}
    compute = conditional_information if score == "cmi" else pgdl_score
    found = compute(values[:, 0], target, hparams)
    kept = np.arange(24) % 3 > 0
    some = {name: code[kept] for name, code in hparams.items()}
    part = compute(values[kept, 0], target[kept], some)
    drawn = np.array([np.ones(24), kept])
    whole, less = resampled(values[:, 0], target, hparams, found.given, score, drawn)
    assert whole == pytest.approx(found.score)
    assert less == pytest.approx(part.under[found.given])


def test_coverage_of_the_scores_intervals():
    """Of 95 % intervals over simulated studies, 92 % and more hold the mean over studies."""
    held = {"cmi": [], "pgdl": []}
    for score, compute in (("cmi", conditional_information), ("pgdl", pgdl_score)):
        rows = []
        for study in range(50):
            table, measures, target = factorial(np.random.default_rng(study))
            levels = {name: codes(cells) for name, cells in table.hparams.items()}
            found = compute(measures[:, 0], target, levels)
            drawn = multiplicities(len(target), Bootstrap(60, seed=study))
            values = resampled(measures[:, 0], target, levels, found.given, score, drawn)
            rows.append((found.score, *interval(found.score, values, len(target), 0.95)))
        truth = np.mean([value for value, _, _ in rows])
        held[score] = np.mean([low <= truth <= high for _, low, high in rows])
    assert all(share >= 0.92 for share in held.values()), held


def test_sign_error_of_resamples():
    random = np.random.default_rng(0)
    seeds = 6
    hparams = {"lr": (0,) * seeds + (1,) * seeds}
    target = random.normal(0, 0.05, 2 * seeds) + 0.03 * np.array(hparams["lr"])
    measure = target + random.normal(0, 0.05, 2 * seeds)
    table = ModelTable(tuple(map(str, range(2 * seeds))), hparams, (), np.empty((2 * seeds, 0)))
    drawn = np.array([np.ones(2 * seeds), [0, 2, 1, 1, 1, 1] * 2])
    levels = {"lr": codes(hparams["lr"])}
    found = sign_error(measure, target, axes_of(table), levels, drawn=drawn)
    assert found.resampled[0] == pytest.approx(found.mean)
    rows = np.repeat(np.arange(2 * seeds), drawn[1].astype(int))
    repeated = {"lr": tuple(hparams["lr"][i] for i in rows)}
    assert found.resampled[1] == pytest.approx(np.mean(sign_errors(measure[rows], target[rows], repeated, 10_000, 0)))


@pytest.mark.parametrize("models", [1, 2, 3, 17, 64, 65])
def test_pairs_by_loops(models):
    """By signs and cells, with ties in the measure, in the target and in both, and with weights."""
    random = np.random.default_rng(models)
    measure, target = random.integers(0, 8, models).astype(float), random.integers(0, 8, models).astype(float)
    cell, times = random.integers(0, 3, models), random.integers(0, 4, models).astype(float)
    kinds = int(cell.max()) + 1
    for weight, found in (
        (np.ones(models), Pairs(measure, target).counts(cell)),
        (times, Pairs(measure, target).counts(cell, times)),
    ):
        expected = np.zeros((kinds * kinds, 3, 3))
        for a, b in itertools.permutations(range(models), 2):
            signs = 1 + sign(measure[a] - measure[b]), 1 + sign(target[a] - target[b])
            expected[(cell[a] * kinds + cell[b], *signs)] += weight[a] * weight[b]
        np.testing.assert_array_equal(found, expected)
