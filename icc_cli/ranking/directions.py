"""Which way a measure is expected to go with the target."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from icc_cli import catalog
from icc_cli.catalog import About, base_name
from icc_cli.errors import UsageError
from icc_cli.ranking.names import suggestion

SMALL = ("loss", "losses", "error", "errors", "err", "gap", "perplexity", "rmse", "mae")
LARGE = ("acc", "accuracy", "auc", "auroc", "recall", "bleu", "reward")
EXACTLY = re.compile(r"f1|r2|top[15]?|prec(?:ision)?[15]?|hits?|m?iou|dice|map|em|exact")
FIRST = ("loss", "error", "perplexity", "rmse")
UNSURE = "not fixed beforehand"


class Expected(NamedTuple):
    """A measure's direction, and `not fixed beforehand` where nobody knows it."""

    direction: int
    sign: str = ""


def sense(target: str) -> int:
    """+1 for a target that should be large, -1 for one that should be small, 0 when its name does not say."""
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", target).lower()
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word]
    bare = [word.rstrip("0123456789") for word in words]
    if any(word.endswith(SMALL) or word.startswith(FIRST) for word in bare):
        return -1
    exact = {*words, *re.split(r"[^a-z0-9]+", target.lower())}
    return 1 if any(word.endswith(LARGE) for word in bare) or any(map(EXACTLY.fullmatch, exact)) else 0


def expected(measure: str, target: str, chosen: Mapping[str, int], told: Mapping[str, About]) -> Expected:
    """The direction that `chosen` gives, by the column's name or the measure's (`c3` for `c3@k=1`); else what the
    catalog, or the records in `told`, declare of it for accuracy, the other way round for a target to be small.

    A column that nobody declares has +1, whatever the target.
    """
    base = base_name(measure)
    for name in (measure, base):
        if name in chosen:
            return Expected(chosen[name])
    about = catalog.find(base) or told.get(base)
    if about is None:
        return Expected(1)
    if about.with_accuracy == 0:
        return Expected(1, UNSURE)
    return Expected(about.with_accuracy * (-1 if sense(target) < 0 else 1))


def refuse_unknown(chosen: Mapping[str, int], measures: Iterable[str]) -> None:
    """UsageError for a direction of what is not ranked."""
    measures = list(measures)
    known = {*measures, *(base_name(name) for name in measures)}
    for name in chosen:
        if name not in known:
            raise UsageError(f"--direction names {name!r}, which is not ranked.", suggestion(name, measures))


def notes(measures: Mapping[str, Expected], target: str, told: Mapping[str, About]) -> list[str]:
    """What should be said of the directions taken."""
    lines = []
    declared = [name for name in measures if catalog.find(base_name(name)) or base_name(name) in told]
    way = sense(target)
    if way < 0 and declared:
        lines.append(f"smaller {target} is better: measures that rise with accuracy have direction -1.")
    if way == 0:
        lines.append(f"the name {target} does not say whether larger is better: taken as larger.")
    if way < 0 and (plain := [name for name in measures if name not in declared]):
        shown = ", ".join(plain[:4]) + (" and others" if len(plain) > 4 else "")
        lines.append(f"no direction is declared for {shown}, +1 is assumed; --direction NAME=-1 turns it.")
    return lines
