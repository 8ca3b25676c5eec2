"""Which columns the user asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from icc_cli import catalog
from icc_cli.catalog import VARIANT, base_name
from icc_cli.errors import UsageError
from icc_cli.ranking.controls import CONTROLS
from icc_cli.ranking.names import listed, suggestion
from icc_cli.ranking.table import CHECKPOINT, METRICS, ModelTable, is_seed


@dataclass(frozen=True)
class Selection:
    """hparams and measures are None when the user left the choice to the tool; `others` are read as numbers too."""

    target: str
    hparams: tuple[str, ...] | None = None
    measures: tuple[str, ...] | None = None
    others: tuple[str, ...] = ()

    @property
    def sweep(self) -> bool:
        """Whether a pattern such as `c3@k=*` asks for the measures at every k."""
        return any(f"{VARIANT}k=" in pattern for pattern in self.measures or ())

    @property
    def apart(self) -> tuple[str, ...]:
        """Columns that are no measures, whatever pattern they match."""
        return (self.target, *self.others)

    def is_number(self, column: str) -> bool:
        """Whether a table's column is needed as numbers."""
        return column in (*self.apart, *METRICS, *CONTROLS) or self.is_measure(column)

    def is_measure(self, column: str) -> bool:
        """Whether a column is one of the measures to rank."""
        if self.measures is None:
            return catalog.known(base_name(column)) and column not in CONTROLS
        return any(_matches(column, pattern, self.hparams or ()) for pattern in self.measures)


def chosen_measures(columns: Sequence[str], selection: Selection, table: ModelTable) -> tuple[str, ...]:
    """The columns to rank, in the order asked for; UsageError when a pattern matches none, or none is left."""
    if selection.measures is None:
        declared = (name for name in columns if base_name(name) in table.about)
        found = tuple(dict.fromkeys((*(name for name in columns if selection.is_measure(name)), *declared)))
        if not found:
            raise UsageError(
                "there is no measure to rank.", f"Name columns with --measures: {listed(table.known_names)}."
            )
        return found
    chosen: dict[str, None] = {}
    for pattern in selection.measures:
        matched = [column for column in columns if _matches(column, pattern, selection.hparams or ())]
        if not matched:
            if pattern in selection.apart:
                raise UsageError(f"{pattern!r} is to be ranked, and is the target or held fixed.", "Name another.")
            raise UsageError(f"there is no column {pattern!r} to rank.", suggestion(pattern, table.known_names))
        chosen.update(dict.fromkeys(matched))
    return tuple(chosen)


def _matches(column: str, pattern: str, hparams: Sequence[str]) -> bool:
    """By name, by the measure's name (`c3` stands for `c3@k=1` and `c3@k=30` too), or by shell pattern,
    which no hyperparameter matches."""
    if column == pattern or base_name(column) == pattern:
        return True
    return column not in (*hparams, CHECKPOINT) and not is_seed(column) and fnmatchcase(column, pattern)
