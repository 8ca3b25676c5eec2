"""Simulated studies: how often the intervals hold the truth that they are named after, and how often noise looks real.

A study is a grid of models whose target and measures are sums of effects of the hyperparameters' values, of pairs of
values, of the configuration, and noise of each model. Effects are drawn once (`fixed`: the same grid, every model
trained again) or anew for each study (another study). The truth is the mean over the studies of what is estimated.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.leads import leads
from icc_cli.ranking.replicates import configurations
from icc_cli.ranking.table import SEED, ModelTable
from icc_cli.ranking.uncertainty import ACROSS, WITHIN, holm

SHARED = 0.7
"""The correlation of the first measure's effects with the target's; the second measure shares none."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Setting:
    """`value`, `pair` and `configuration` are standard deviations of effects, the noise of a model having 1."""

    name: str
    levels: tuple[int, ...] = (2, 2, 2, 2, 3)
    seeds: int = 1
    value: float = 0.0
    pair: float = 0.0
    configuration: float = 0.0
    fixed: bool = False


SETTINGS = (
    Setting("independent noise"),
    Setting("the same grid trained again, effects of values sd 1", value=1.0, fixed=True),
    Setting("another study, effects of values sd .6", value=0.6),
    Setting("another study, effects of values sd 1", value=1.0),
    Setting("another study, effects of values sd .6 and of pairs of values sd .3", value=0.6, pair=0.3),
    Setting("another study, effects of values sd 1 and of pairs of values sd .5", value=1.0, pair=0.5),
    Setting("16 configurations x 5 seeds, effects of configurations sd 1", (2, 2, 2, 2), 5, configuration=1.0),
)

WIDER = (
    Setting("another study, eight axes, effects of values sd 1", (2,) * 8, value=1.0),
    Setting(
        "another study, six axes, effects of values sd 1 and of pairs of values sd .5", (2,) * 6, value=1.0, pair=0.5
    ),
)
"""Larger grids, for the full simulation alone."""

BEYOND = (
    Setting("another study, seven axes, effects of values and of pairs of values sd 1", (2,) * 7, value=1.0, pair=1.0),
)
"""Where the axes depend on one another so strongly that the interval across studies falls short of its name."""


def names_of(setting):
    """The questions whose answer a setting tests: an effect that is drawn anew belongs to another study."""
    drawn_anew = not setting.fixed and (setting.value or setting.pair)
    return (ACROSS,) if drawn_anew else (WITHIN,) if setting.fixed else (WITHIN, ACROSS)


def table_of(setting):
    grid = list(itertools.product(*(range(n) for n in setting.levels), range(setting.seeds)))
    columns = list(zip(*grid, strict=True))
    hparams = {f"h{i}": column for i, column in enumerate(columns[:-1])}
    if setting.seeds > 1:
        hparams[SEED] = columns[-1]
    return ModelTable(tuple(map(str, range(len(grid)))), hparams, (), np.empty((len(grid), 0)))


def effects(setting, random):
    """(models without seeds, repeated by seed) the sum of the effects of a quantity."""
    total = np.zeros(setting.levels)
    axes = range(len(setting.levels))
    for chosen, sd in [((i,), setting.value) for i in axes] + [
        (pair, setting.pair) for pair in itertools.combinations(axes, 2)
    ]:
        shape = [setting.levels[i] if i in chosen else 1 for i in axes]
        total = total + random.normal(0, sd, shape)
    total = total + random.normal(0, setting.configuration, setting.levels)
    return np.repeat(total.ravel(), setting.seeds)


def drawn(setting, study, measures=2):
    """(M,) target and (M, K) measures of one study: the first shares effects with the target, the others none."""
    random = np.random.default_rng(study)
    source = np.random.default_rng(12345) if setting.fixed else random
    goal = effects(setting, source)
    own = [effects(setting, source) for _ in range(measures)]
    own[0] = SHARED * goal + np.sqrt(1 - SHARED**2) * own[0]
    noise = random.normal(size=(len(goal), measures + 1))
    return goal + noise[:, 0], np.stack(own, axis=1) + noise[:, 1:]


def coverage(setting, studies):
    """By question, the shares of studies whose interval holds the truth: (K,) Psi of either measure, (1,) the first
    one's lead over the second, and, within the grid alone, (A, K) the axes."""
    table = table_of(setting)
    axes, same = axes_of(table), configurations(table)
    totals, differences, axis = [], [], []
    bounds = {question: ([], []) for question in (WITHIN, ACROSS)}
    axis_bounds = []
    for study in range(studies):
        target, values = drawn(setting, study)
        spread = granulated(values, target, axes, configurations=same, sure=True).spread
        lead = leads(values[:, :1], values[:, 1], target, axes, configurations=same).spread
        totals.append(spread.total)
        differences.append(lead.total)
        axis.append(spread.psi)
        axis_bounds.append(spread.axis_intervals(CONFIDENCE))
        for question, (psi, over) in bounds.items():
            psi.append(spread.answer(question, CONFIDENCE)[0])
            over.append(lead.answer(question, CONFIDENCE)[0])
    found = {}
    for question in names_of(setting):
        psi, over = (np.array(part) for part in bounds[question])
        found[question] = {"Psi": held(psi, np.array(totals)), "lead": held(over, np.array(differences))}
    if WITHIN in found:
        inside = np.array(axis_bounds)
        found[WITHIN]["axis"] = held(np.moveaxis(inside, 2, 1), np.array(axis))
    return found


def held(bounds, values):
    """The share of studies whose bounds (studies, 2, ...) hold the mean over studies of the values, for each."""
    truth = values.mean(axis=0)
    return ((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).mean(axis=0)


def false_findings(setting, studies, measures=16):
    """The shares of studies in which one of the measures that say nothing has Psi with p under .05, before and after
    Holm's correction. None of them shares effects with the target."""
    table = table_of(setting)
    axes, same = axes_of(table), configurations(table)
    plain = corrected = 0
    for study in range(studies):
        target, values = drawn(setting, study, measures + 1)
        spread = granulated(values[:, 1:], target, axes, configurations=same, sure=True).spread
        p = spread.answer(ACROSS, CONFIDENCE)[1]
        plain += bool((p < 0.05).any())
        corrected += bool((holm(p) < 0.05).any())
    return plain / studies, corrected / studies
