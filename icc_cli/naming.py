"""Which model each checkpoint of a folder is of: by a table of globs, or by the checkpoint's own name.

Imports the standard library alone, so that a mistake is told before torch is there.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from icc_cli.errors import UsageError
from icc_cli.files import check_there

CHECKPOINT, MODEL = "checkpoint", "model"
STEM = "{stem}"
PATTERN = "{re:"
SHOWN = 5


@dataclass(frozen=True)
class Line:
    """One line of a table of models: the checkpoints that it is of, their model, and its arguments as key=value."""

    number: int
    glob: str
    model: str
    arguments: tuple[str, ...]

    def fits(self, name: str) -> bool:
        """Whether the glob is of a checkpoint of this name: the whole path below its folder, or the file alone."""
        return fnmatchcase(name, self.glob) or fnmatchcase(PurePath(name).name, self.glob)


@dataclass(frozen=True)
class ModelMap:
    """A table of models: where it was read from, and its lines."""

    where: str
    lines: tuple[Line, ...]

    def line(self, name: str) -> Line:
        """The line of the checkpoint `name`; UsageError when none fits, or several do."""
        fits = [line for line in self.lines if line.fits(name)]
        if not fits:
            globs = ", ".join(line.glob for line in self.lines[:SHOWN]) + (", ..." if len(self.lines) > SHOWN else "")
            raise UsageError(f"no line of {self.where} is of {name}: it has {globs}.", "Add one, or widen a glob.")
        if len(fits) > 1:
            both = " and ".join(f"line {line.number} ({line.glob})" for line in fits[:2])
            raise UsageError(f"{self.where}: {both} are both of {name}.", "Narrow one of the globs.")
        return fits[0]

    def check(self, names: Iterable[str]) -> None:
        """UsageError unless each checkpoint has its line, and each line a checkpoint."""
        used = {self.line(name).number for name in names}
        for line in self.lines:
            if line.number not in used:
                raise UsageError(
                    f"{self.where} line {line.number}: no checkpoint matches {line.glob}.",
                    "Correct the glob, or remove the line; globs match paths below the folder, or file names.",
                )


def read_map(path: Path) -> ModelMap:
    """A table of models from CSV: the columns `checkpoint` and `model`, and one for each argument (empty: not given).

    UsageError, with the line's number, for what is not such a table.
    """
    check_there(path, pipes=True)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path} as a table of models: {error}.") from error
    rows = csv.reader(text.splitlines(), delimiter=max(",;\t", key=text.partition("\n")[0].count))
    numbered = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if any(cell.strip() for cell in row)]
    if not numbered:
        raise UsageError(f"{path} is empty.", "Expected the columns checkpoint (a glob) and model.")
    header = numbered[0][1]
    for name in (CHECKPOINT, MODEL):
        if name not in header:
            raise UsageError(
                f"{path} has no column {name!r}: it has {', '.join(header)}.",
                "Expected the columns checkpoint (a glob) and model, then one for each argument of the model.",
            )
    for name in header:
        if not name.isidentifier() or header.count(name) > 1:
            raise UsageError(f"{path} has a column {name!r}, which names no argument or one twice.", "Rename it.")
    if len(numbered) == 1:
        raise UsageError(f"{path} has a header and no line.", "Write one line for each kind of checkpoint.")
    return ModelMap(str(path), tuple(_line(number, header, row, path) for number, row in numbered[1:]))


def _line(number: int, header: Sequence[str], row: Sequence[str], path: Path) -> Line:
    if len(row) != len(header):
        raise UsageError(f"{path} line {number} has {len(row)} cells, and the header has {len(header)}.", "Correct it.")
    cells = dict(zip(header, row, strict=True))
    glob, model = cells.pop(CHECKPOINT), cells.pop(MODEL)
    for name, cell in ((CHECKPOINT, glob), (MODEL, model)):
        if not cell:
            raise UsageError(f"{path} line {number} has no {name}.", "Fill it in.")
    return Line(number, glob, model, tuple(f"{name}={cell}" for name, cell in cells.items() if cell))


def filled(text: str, name: str) -> str:
    """`text` with `{stem}` as the checkpoint's name without folder and suffix, and `{re:REGEX}` as what the regular
    expression finds in its path: its first group, or all of it. UsageError when it finds nothing."""
    text = text.replace(STEM, PurePath(name).stem)
    while (start := text.find(PATTERN)) >= 0:
        end = _closing(text, start)
        pattern = text[start + len(PATTERN) : end]
        try:
            found = re.search(pattern, name)
        except re.error as error:
            raise UsageError(f"{pattern!r} in {text!r} is not a regular expression: {error}.") from error
        if found is None:
            raise UsageError(
                f"{pattern!r} finds nothing in the name {name}.", "Correct it, or name models by --models."
            )
        text = text[:start] + (found.group(1) if found.re.groups else found.group()) + text[end + 1 :]
    return text


def _closing(text: str, start: int) -> int:
    """The place of the brace that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise UsageError(f"{text!r} has a brace that is not closed.")
