"""Which columns the user asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from icc_cli import catalog
from icc_cli.catalog import VARIANT, base_name
from icc_cli.errors import UsageError
from icc_cli.ranking.table import METRICS

NAMES_SHOWN = 8


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

    def is_number(self, column: str) -> bool:
        """Whether a table's column is needed as numbers."""
        return column in (self.target, *METRICS, *self.others) or self.is_measure(column)

    def is_measure(self, column: str) -> bool:
        """Whether a column is one of the measures to rank."""
        if self.measures is None:
            return catalog.known(base_name(column))
        return any(_matches(column, pattern) for pattern in self.measures)


def chosen_measures(columns: Sequence[str], selection: Selection) -> tuple[str, ...]:
    """The columns to rank, in the order asked for; UsageError when a pattern matches none, or none is left."""
    if selection.measures is None:
        found = tuple(column for column in columns if selection.is_measure(column))
        if not found:
            raise UsageError("there is no measure to rank.", f"Name columns with --measures: {listed(columns)}.")
        return found
    chosen: dict[str, None] = {}
    for pattern in selection.measures:
        matched = [column for column in columns if _matches(column, pattern)]
        if not matched:
            raise UsageError(f"there is no column {pattern!r} to rank.", f"Columns: {listed(columns)}.")
        chosen.update(dict.fromkeys(matched))
    return tuple(chosen)


def listed(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    names = list(names)
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more if names else "none"


def _matches(column: str, pattern: str) -> bool:
    """By name, by shell pattern, or by the measure's name: `c3` stands for `c3@k=1` and `c3@k=30` too."""
    return column == pattern or base_name(column) == pattern or fnmatchcase(column, pattern)
