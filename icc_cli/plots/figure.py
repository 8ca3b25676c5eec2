"""What a figure is: one declaration, last in the figure's own file, that `icc plot` and the report go by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from icc_cli.errors import UsageError
from icc_cli.plots.style import Drawing, Row
from icc_cli.ranking.sources.sets import RecordSet
from icc_cli.ranking.study import Study

Needs = Literal["study", "curves", "models", "runs"]
"""`study`: models with a target; `curves`: the same with a column for every k; `models`: their records, each of its
last epoch; `runs`: records of every epoch."""


@dataclass(frozen=True)
class Given:
    """What one set of models gives to a figure.

    study       None for a figure that needs records alone, and where the models cannot be ranked
    confidence  of intervals
    interval    `across` studies or `within` the grid: the question that they answer
    colour      a hyperparameter to colour points by, `none` for no colours, None for the one that tells most
    """

    models: RecordSet
    study: Study | None = None
    confidence: float = 0.95
    interval: str = "across"
    colour: str | None = None

    @property
    def ranked(self) -> Study:
        """The study; UsageError when the models could not be ranked."""
        if self.study is None:
            raise UsageError(f"{self.models.name or 'these models'} cannot be ranked.", "`icc rank` says why.")
        return self.study


@dataclass(frozen=True)
class Figure:
    """`rows` are the numbers of one set, or a UsageError when it does not hold them; `draw` takes those of all sets."""

    name: str
    needs: Needs
    rows: Callable[[Given], list[Row]]
    draw: Callable[[Sequence[Row]], Drawing]
    caption: str
