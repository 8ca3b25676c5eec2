"""Which row of a table belongs to which checkpoint."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from icc_cli.errors import FormatError, UsageError
from icc_cli.folders import CHECKPOINT_SUFFIXES
from icc_cli.ranking.names import listed, suggestion
from icc_cli.shapes import JsonObject

Cells = JsonObject

# The columns that name a run's checkpoint, ours first: then those of the tools' exports.
KEYS = (
    "checkpoint",
    "tags.checkpoint",
    "config.checkpoint",
    "params.checkpoint",
    "user_attrs_checkpoint",
    "name",
    "Name",
    "tags.mlflow.runName",
    "run_name",
    "model",
    "trial_id",
    "Trial ID",
    "session_group_name",
    "number",
)


def matched(names: Sequence[str], rows: Sequence[Cells], where: str, key: str | None) -> list[Cells | None]:
    """The row of each checkpoint, by the column `key`, or else by the first of the usual ones whose values tell rows
    apart and name a checkpoint: as it is written, else by the file's name, else without its suffix, else by a folder of
    its path, else by the number that its name ends with.

    UsageError for a key that is no column; FormatError when no column will do, or a row is not alone.
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    if key is not None:
        if key not in columns:
            raise UsageError(f"--key: {where} has no column {key!r}.", suggestion(key, columns))
        return _by(names, rows, where, key)
    usual = [column for column in KEYS if any(row.get(column) not in (None, "") for row in rows)]
    if not usual:
        raise FormatError(
            f"{where} has no column 'checkpoint', the checkpoint's file name.",
            f"Name another with --key. Its columns are {listed(columns)}.",
        )
    errors = []
    for column in usual:
        try:
            return _by(names, rows, where, column)
        except FormatError as error:
            errors.append(error)
    raise errors[0]


def _by(names: Sequence[str], rows: Sequence[Cells], where: str, key: str) -> list[Cells | None]:
    runs: dict[str, Cells] = {}
    for row in rows:
        if row.get(key) in (None, ""):
            continue
        name = str(row[key])
        if name in runs:
            raise FormatError(
                f"{where} has two rows for the checkpoint {name} in its column {key!r}.",
                "Keep one of them, or name another column with --key.",
            )
        runs[name] = {column: value for column, value in row.items() if column != key}
    keys: dict[str, set[str]] = {}
    numbered = all(re.fullmatch(r"\d+", run) for run in runs)
    for run in runs:
        for one in _keys(run, numbered):
            keys.setdefault(one, set()).add(run)
    found: list[Cells | None] = []
    for name in names:
        fits = next((keys[one] for one in _keys(name, numbered) if one in keys), set())
        if len(fits) > 1:
            raise FormatError(
                f"{where} has several rows for the checkpoint {name}: {listed(sorted(fits))}.",
                "Write the path as the records have it.",
            )
        found.append(runs[next(iter(fits))] if fits else None)
    if not any(run is not None for run in found):
        raise FormatError(
            f"{where} has no row for any of the {len(names)} checkpoints: its column {key!r} names {listed(runs)}.",
            f"The records name {listed(names)}; --key names another column.",
        )
    return found


def _keys(name: str, numbered: bool) -> list[str]:
    path = PurePath(name)
    numbers = re.findall(r"\d+", _stem(path)) if numbered else []
    folders = [end for folder in path.parents if folder.name for end in _ends(str(folder))]
    return list(dict.fromkeys((name, *_ends(name), *folders, *numbers[-1:])))


def _ends(name: str) -> list[str]:
    """The path, then without its first folder, and so on, each with and without the suffix."""
    path = PurePath(name)
    ends = [str(PurePath(*path.parts[start:])) for start in range(len(path.parts))]
    return [end for whole in ends for end in (whole, whole.removesuffix(path.name) + _stem(path))]


def _stem(path: PurePath) -> str:
    return path.name.removesuffix(path.suffix) if path.suffix in CHECKPOINT_SUFFIXES else path.name


def place_of(wanted: str, names: Sequence[str]) -> int:
    """Which of `names` a user means by `wanted`: as written, or by the end of either path, with or without a suffix.

    UsageError when it is none of them, or several.
    """
    if wanted in names:
        return names.index(wanted)
    keys = [set(_ends(name)) for name in names]
    for end in _ends(wanted):
        fits = [i for i, own in enumerate(keys) if end in own]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise UsageError(
                f"{wanted} may be {listed([names[i] for i in fits])}.", "Write the path as the records have it."
            )
    raise UsageError(f"there is no checkpoint {wanted!r}.", suggestion(wanted, names))


def unmatched(names: Sequence[str], found: Sequence[Cells | None], where: str) -> list[str]:
    """A sentence on the checkpoints without a row."""
    missing = [name for name, run in zip(names, found, strict=True) if run is None]
    return [f"{where} has no row for {len(missing)} of {len(names)} models: {listed(missing)}."] if missing else []
