"""Standard errors, intervals and p by loops from their definitions, and what they cover in simulated studies."""

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import optimize, stats

from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.leads import leads
from icc_cli.ranking.replicates import configurations
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.uncertainty import ACROSS, WITHIN, holm
from tests.ranking import simulation
from tests.ranking.oracle import axes, group_tau, random_table


def clusters_of(hparams, axis, values, target):
    """For each set of models that agree on all but the axis and the seed: its members, and tau of each seed's group."""
    found = {}
    for i in range(len(target)):
        key = tuple(cells[i] for name, cells in sorted(hparams.items()) if name not in (axis, "seed"))
        found.setdefault(key, {}).setdefault(hparams["seed"][i], []).append(i)
    clusters = []
    for seeds in found.values():
        taus = []
        for members in seeds.values():
            if len({hparams[axis][i] for i in members}) > 1:
                tau = group_tau(members, values, target, "paper")[0]
                taus += [] if tau is None else [tau]
        if taus:
            clusters.append(({i for members in seeds.values() for i in members}, taus))
    return clusters


def by_loops(hparams, values, target, reach=1.0, taus=clusters_of):
    """psi, its standard error and clusters by axis; the standard errors of Psi within the grid and across studies."""
    configuration = {}
    for i in range(len(target)):
        key = tuple(cells[i] for name, cells in sorted(hparams.items()) if name != "seed")
        configuration[i] = key
    psis, errors, parts, counts = [], [], [], []
    for axis in axes(hparams):
        clusters = taus(hparams, axis, values, target)
        flat = [tau for _, inside in clusters for tau in inside]
        if not flat:
            continue
        psi = statistics.fmean(flat)
        count = len(clusters)
        few = math.sqrt(count / (count - 1)) if count > 1 else 1.0
        sums = [few * sum(tau - psi for tau in inside) / len(flat) for _, inside in clusters]
        squares = sum(s * s for s in sums)
        agree = squares < 1e-20
        psis.append(psi)
        errors.append((reach + abs(psi)) / count if agree else math.sqrt(squares))
        parts.append([({configuration[i] for i in members}, s) for (members, _), s in zip(clusters, sums, strict=True)])
        counts.append(count)
    shared = 0.0
    for one, other in itertools.permutations(parts, 2):
        shared += sum(s * u for members, s in one for others, u in other if members & others)
    number = len(psis)
    within = math.sqrt(sum(e * e for e in errors) + max(0.0, shared)) / number if number else math.nan
    apart = statistics.stdev(psis) / math.sqrt(number) if number > 1 else math.nan
    return psis, errors, counts, within, max(within, apart) if number > 1 else math.nan


def without_replicates(table, values, target):
    """The table with one model for each configuration and seed."""
    seen = {}
    for i in range(len(target)):
        seen.setdefault(tuple(cells[i] for cells in table.hparams.values()), i)
    rows = np.array(list(seen.values()))
    return table.take(rows), values[rows], target[rows]


@pytest.mark.parametrize("seed", range(10))
def test_standard_errors_by_loops(seed):
    random = np.random.default_rng(seed)
    found = random_table(random, models=60, missing=float(random.choice([0, 0.2])), seeds=1 + seed % 3, distinct=4)
    table, values, target = without_replicates(*found)
    spread = granulated(values, target, axes_of(table), configurations=configurations(table), sure=True).spread
    for k in range(values.shape[1]):
        psis, errors, counts, within, across = by_loops(table.hparams, values[:, k], target)
        known = ~np.isnan(spread.psi[:, k])
        np.testing.assert_allclose(spread.psi[known, k], psis, atol=1e-12)
        np.testing.assert_allclose(spread.error[known, k], errors)
        assert spread.clusters[known, k].tolist() == counts
        total = statistics.fmean(psis)
        for question, error, freedom in (
            (WITHIN, within, max(1, statistics.fmean(counts) - 1)),
            (ACROSS, across, len(psis) - 1),
        ):
            bounds, p = spread.answer(question, 0.9)
            half = stats.t.ppf(0.95, freedom) * error
            np.testing.assert_allclose(bounds[:, k], np.clip([total - half, total + half], -1, 1), atol=1e-12)
            assert p[k] == pytest.approx(2 * stats.t.sf(abs(total) / error, freedom))


@pytest.mark.parametrize("seed", range(6))
def test_leads_by_loops(seed):
    """Of the models that have both measures, and of the groups in which both have a tau."""
    random = np.random.default_rng(100 + seed)
    table, values, target = without_replicates(*random_table(random, models=60, missing=0.2, distinct=6, seeds=2))

    def differences(hparams, axis, pair, target):
        """The clusters with the differences of the taus."""
        one, other = pair
        found = [clusters_of(hparams, axis, part, target) for part in (one, other)]
        assert [c[0] for c in found[0]] == [c[0] for c in found[1]]
        return [
            (members, [a - b for a, b in zip(first, second, strict=True)])
            for (members, first), (_, second) in zip(*found, strict=True)
        ]

    found = leads(values[:, 1:], values[:, 0], target, axes_of(table), configurations=configurations(table))
    for k in (1, 2):
        absent = np.isnan(values[:, 0]) | np.isnan(values[:, k])
        both = [np.where(absent, np.nan, values[:, j]) for j in (k, 0)]
        psis, errors, _, within, across = by_loops(table.hparams, both, target, 2.0, differences)
        known = ~np.isnan(found.spread.psi[:, k - 1])
        np.testing.assert_allclose(found.spread.psi[known, k - 1], psis, atol=1e-15)
        np.testing.assert_allclose(found.spread.error[known, k - 1], errors)
        assert found.models[k - 1] == np.sum(~absent)
        assert found.spread.within()[0][k - 1] == pytest.approx(within)
        assert found.spread.across()[0][k - 1] == pytest.approx(across)


def test_an_axis_on_which_all_groups_agree():
    """The rule of three: with 8 of 8 groups in agreement, 3 of 8 may well differ (1 - .05 ** (1 / 8) = .312)."""
    grid = list(itertools.product(range(2), range(8)))
    table = ModelTable(
        tuple(map(str, grid)), {"a": tuple(g[0] for g in grid), "b": tuple(g[1] for g in grid)}, (), np.empty((16, 0))
    )
    target = np.array([10.0 * a + b for a, b in grid])
    spread = granulated(target[:, None], target, axes_of(table), sure=True).spread
    low, high = spread.axis_intervals(0.95)[0, :, 0]
    assert high == 1 and low == pytest.approx(1 - 2 * (1 - 0.05 ** (1 / 8)))
    assert spread.error[0, 0] == pytest.approx(2 / 8)
    single = spread.axis_intervals(0.95)[1, :, 0]
    assert single == pytest.approx([1 - 2 * (1 - 0.05 ** (1 / 2)), 1]), "two groups"


def beyond(bound, psi, reach, sign):
    """How much further from psi a bound is than it may be."""
    return sign * (bound - psi) - reach * math.sqrt((1 - bound**2) / (1 - psi**2))


def test_bounds_of_an_axis():
    """The wider of two: t standard errors from psi, and where the error changes as that of a share does."""
    random = np.random.default_rng(0)
    table, values, target = without_replicates(*random_table(random, models=60, missing=0, distinct=50, seeds=1))
    spread = granulated(values, target, axes_of(table), configurations=configurations(table), sure=True).spread
    for i, k in itertools.product(*map(range, spread.psi.shape)):
        psi, error = spread.psi[i, k], spread.error[i, k]
        t = stats.t.ppf(0.975, spread.clusters[i, k] - 1)
        for sign, bound in zip((-1, 1), spread.axis_intervals(0.95)[i, :, k], strict=True):
            score = optimize.brentq(beyond, psi, sign, (psi, t * error, sign))
            plain = max(-1, min(1, psi + sign * t * error))
            assert bound == pytest.approx(sign * max(sign * score, sign * plain))


def test_holm():
    assert holm(np.array([0.01, 0.04, 0.03, math.nan])).tolist()[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(holm(np.array([0.01, math.nan]))[1])
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]


@pytest.mark.parametrize("setting", simulation.SETTINGS, ids=lambda setting: setting.name)
def test_coverage(setting):
    """Of 95 % intervals, at least 92 % hold what they are named after."""
    for question, found in simulation.coverage(setting, 200).items():
        assert all(shares.mean() >= 0.92 for shares in found.values()), (question, found)


def test_noise_is_seldom_found_to_be_real():
    """Of studies with 16 measures that say nothing, at most 5 % find one after Holm's correction; half do before."""
    plain, corrected = simulation.false_findings(simulation.SETTINGS[3], 120)
    assert corrected <= 0.05
    assert plain > 0.1, "the correction is needed"
