"""Slow references, written with loops from the definitions, and the tables that they are compared on."""

import itertools
import math
import statistics
from pathlib import Path

import numpy as np
import pytest

from icc_cli.ranking.table import ModelTable

PGDL = Path(__file__).parents[3] / "shared" / "data" / "pgdl_task1.csv"
PGDL_HPARAMS = ("bs", "convwidth", "dropout_p", "num_conv_blocks", "num_dense_layers", "weight_decay")
needs_pgdl = pytest.mark.skipif(not PGDL.exists(), reason=f"needs {PGDL}")


def sign(x):
    return int(x > 0) - int(x < 0)


def group_tau(members, measure, target, convention):
    """tau, countable pairs, tied pairs of one group."""
    total = pairs = ties = 0
    for a, b in itertools.combinations(members, 2):
        if math.isnan(measure[a]) or math.isnan(measure[b]):
            continue
        sm, st = sign(measure[a] - measure[b]), sign(target[a] - target[b])
        ties += sm == 0 or st == 0
        if convention == "reference" and sm == 0 and st == 0:
            continue
        pairs += 1
        total += sm * st
    return (total / pairs if pairs else None), pairs, ties


def axis_value(hparams, axis, measure, target, convention="paper"):
    """psi, groups, pairs, ties, and the groups' tau, over models that agree on all but `axis` (seed included).

    A group counts where `axis` varies in it.
    """
    groups = {}
    for i in range(len(target)):
        key = tuple(values[i] for name, values in sorted(hparams.items()) if name != axis)
        groups.setdefault(key, []).append(i)
    taus, pairs, ties = [], 0, 0
    for members in groups.values():
        if len({hparams[axis][i] for i in members}) > 1:
            tau, n, tied = group_tau(members, measure, target, convention)
            pairs, ties = pairs + n, ties + tied
            if tau is not None:
                taus.append(tau)
    return (statistics.fmean(taus) if taus else None), len(taus), pairs, ties, taus


def axes(hparams):
    return [name for name, values in hparams.items() if name != "seed" and len(set(values)) > 1]


def random_table(random, *, levels=(2, 3, 2), models=40, measures=3, missing=0.1, distinct=5, seeds=2):
    """Hyperparameters drawn with repeats, values on few levels so that ties abound, some of them missing."""
    hparams = {f"h{i}": tuple(int(v) for v in random.integers(0, n, models)) for i, n in enumerate(levels)}
    hparams["seed"] = tuple(int(v) for v in random.integers(0, seeds, models))
    target = random.integers(0, distinct, models).astype(float)
    values = random.integers(0, distinct, (models, measures)).astype(float)
    values[random.random(values.shape) < missing] = np.nan
    names = tuple(f"m{k}" for k in range(measures))
    table = ModelTable(tuple(map(str, range(models))), hparams, (*names, "target"), np.column_stack([values, target]))
    return table, values, target


def paper_grid():
    """The 192 configurations of the paper, in its order of axes."""
    names = ("lr", "batch_size", "weight_decay", "optimizer", "dropout", "augmentation", "width", "depth")
    return [
        dict(zip(names, (lr, batch, decay, optimizer, dropout, augmentation, width, depth), strict=True))
        for lr, decay in ((0.01, 0.0), (0.32, 0.0), (0.1, 0.0), (0.1, 4e-5))
        for batch in (100, 300)
        for optimizer in ("sgd", "adam")
        for dropout, augmentation in ((0.0, True), (0.0, False), (0.2, False), (0.4, False))
        for width, depth in ((1, 1), (1.5, 1), (1, 1.5))
    ]


def close(value, expected):
    return value is None if expected is None else value == pytest.approx(expected, abs=1e-12)


def rank_rows(table, values, target, convention="paper", **options):
    from icc_cli.ranking.directions import Expected
    from icc_cli.ranking.granulated import granulated
    from icc_cli.ranking.groups import axes_of
    from icc_cli.ranking.rows import granulated_rows

    found = axes_of(table)
    result = granulated(values, target, found, convention, **options)
    names = {f"m{k}": Expected(1) for k in range(values.shape[1])}
    return granulated_rows(result, names, [axis.name for axis in found])
