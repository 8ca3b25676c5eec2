"""Ranking as one call: records, a table or a data frame in, rows that print well out."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from icc_cli.errors import FormatError, IccError, UsageError
from icc_cli.ranking.names import suggestion
from icc_cli.ranking.result import Ranking
from icc_cli.ranking.scores import Scored, score_of
from icc_cli.ranking.sources import columns
from icc_cli.ranking.sources.inputs import Loaded, load
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.sources.sets import ModelSet, model_sets
from icc_cli.ranking.study import Settings, Study, every_model, study_of
from icc_cli.records import Record, from_json
from icc_cli.shapes import JsonObject

Names = str | Sequence[str] | None


@dataclass(frozen=True)
class Studies:
    """The studies of the sets that can be ranked, each with its records, and why the others cannot."""

    found: tuple[tuple[ModelSet, Study], ...]
    told: tuple[str, ...] = ()


def rank(
    data: object,
    target: str = "test_accuracy",
    measures: Names = None,
    hparams: Names = None,
    directions: Mapping[str, int] | None = None,
    score: str = "kendall",
    **options: Any,
) -> Ranking:
    """How well each measure orders models by `target`: the granulated Kendall table, or another score; or the models
    themselves.

    data        paths of records, folders or tables; records; rows that are mappings; or a data frame, whose
                `hparams` and `measures` are to be named
    directions  +1 or -1 by measure; the others have what is declared of them
    options     `min_train_accuracy`, `seeds`, `controls`, `common`, `pool`, and those of the score: for kendall
                `interval` ("across" studies or "within" the grid), `confidence`, `versus`, `given`, `explain`,
                `convention`. `checkpoints=True` gives a row for each model instead, in the order that the measures
                of `by` (default: `measures`, else the paper's) predict, and `pair=("a.pt", "b.pt")` a row for each
                measure that compares two; these need neither hyperparameters nor a target

    >>> rows = [{"lr": lr, "wd": wd, "mine": lr + wd, "acc": lr + wd} for lr in (1, 2) for wd in (3, 4)]
    >>> rank(rows, target="acc", hparams=["lr", "wd"], measures=["mine"])["mine"]["Psi"]
    1.0
    """
    pool = bool(options.pop("pool", False))
    asked = models_asked(**{name: options.pop(name) for name in ("checkpoints", "by", "pair") if name in options})
    names = [field.name for field in fields(Settings)]
    settings = Settings(**{name: options.pop(name) for name in names if name in options}, directions=directions or {})
    given = options.get("given")
    selection = Selection(target, _names(hparams), _names(measures), (given,) if isinstance(given, str) else ())
    selection = selected(selection, asked)
    scored = scored_of(score, options, asked, selection)
    loaded = _loaded(data, selection, pool)
    made = studies(loaded.sets, selection, settings, asked is not None)
    ranked = ranking(made, scored)
    first, *rest = ranked.parts
    notes = (*loaded.told, *(str(error) for error in loaded.failures), *made.told, *first.notes)
    return Ranking((replace(first, notes=notes), *rest))


@dataclass(frozen=True)
class ModelsAsked:
    """That the models themselves are to be listed: in the order by the measures `by`, or a `pair` of them."""

    by: tuple[str, ...] | None = None
    pair: tuple[str, str] | None = None


def models_asked(checkpoints: bool = False, by: Names = None, pair: Sequence[str] | None = None) -> ModelsAsked | None:
    """What the options say; None when it is the measures that are ranked. UsageError for options without the first."""
    if pair is not None and len(pair) != 2:
        raise UsageError(f"a pair is two checkpoints, got {len(pair)}.")
    if by is not None and not checkpoints and pair is None:
        raise UsageError("--by chooses the measures that order the models.", "Give --checkpoints too.")
    if not checkpoints and pair is None:
        return None
    return ModelsAsked(_names(by), None if pair is None else (pair[0], pair[1]))


def selected(selection: Selection, asked: ModelsAsked | None) -> Selection:
    """The measures that `by` names, in the place of the others."""
    if asked is None or asked.by is None:
        return selection
    if selection.measures is not None:
        raise UsageError("--by and --measures both choose the measures that order the models.", "Give one of them.")
    return replace(selection, measures=asked.by)


def scored_of(score: str, options: JsonObject, asked: ModelsAsked | None, selection: Selection) -> Scored:
    """What is made of every study: its score, or its models."""
    if asked is None:
        return score_of(score, options)
    from icc_cli.ranking.order import order, pair

    option = "--checkpoints" if asked.pair is None else "--pair"
    for name in (*(["score"] if score != "kendall" else []), *options):
        raise UsageError(f"--{name.replace('_', '-')} does not go with {option}.", "Leave one of them out.")
    if asked.pair is None:
        return partial(order, papers=selection.measures is None)
    first, second = asked.pair
    return lambda study: pair(study, first, second)


def studies(sets: Sequence[ModelSet], selection: Selection, settings: Settings, every: bool = False) -> Studies:
    """The study of each set; one that cannot be ranked is passed over when there are several and another can.

    `every` keeps models without a target, each by itself.
    """
    several = len(sets) > 1
    make = every_model if every else study_of
    found: list[tuple[ModelSet, Study]] = []
    errors: list[IccError] = []
    told: list[str] = []
    for one in sets:
        try:
            study = make(one.table, selection, settings, one.name if several else "")
        except (FormatError, UsageError) as error:
            if not several:
                raise
            errors.append(error)
            told.append(f"{one.name} is not ranked: {error}")
        else:
            kept = tuple(item for item in one.found if item[1].weights_sha256 in study.runs.keys)
            found.append((replace(one, found=kept, table=study.runs), study))
    if not found:
        raise errors[0]
    return Studies(tuple(found), tuple(told))


def ranking(made: Studies, scored: Scored) -> Ranking:
    """The score of every study."""
    return Ranking(tuple(replace(scored(study), symbols=study.symbols) for _, study in made.found))


def _names(names: Names) -> tuple[str, ...] | None:
    return None if names is None else (names,) if isinstance(names, str) else tuple(names)


def _loaded(data: object, selection: Selection, pool: bool) -> Loaded:
    if isinstance(data, str | os.PathLike):
        return load([os.fspath(data)], selection, pool)
    if columns.is_frame(data):
        return _table(columns.frame_columns(data), selection)
    items = list(data) if isinstance(data, Iterable) else []
    if items and all(isinstance(item, str | Path) for item in items):
        return load([os.fspath(item) for item in items], selection, pool)
    if items and all(isinstance(item, Record) or is_record(item) for item in items):
        read = [(f"record {i + 1}", item) for i, item in enumerate(items)]
        found = [(where, item if isinstance(item, Record) else from_json(item, where)) for where, item in read]
        sets, told = model_sets(found, selection.sweep, pool)
        return Loaded(tuple(sets), (), tuple(told))
    if items and all(isinstance(item, Mapping) for item in items):
        return _table(columns.row_columns(items), selection)
    raise UsageError(
        f"cannot rank a {type(data).__name__}.", "Give paths, records, rows that are mappings, or a data frame."
    )


def is_record(item: object) -> bool:
    """Whether a mapping is what a record's line holds."""
    return isinstance(item, Mapping) and "record" in item and "weights_sha256" in item


def _table(found: Mapping[str, Sequence[Any]], selection: Selection) -> Loaded:
    for name in selection.hparams or ():
        if name not in found:
            raise UsageError(f"there is no hyperparameter {name!r}.", suggestion(name, found))
    return Loaded((ModelSet("", (), columns.table_of(found, "the table", selection)),))
