"""What a ranking gives: rows of plain data that print as a table, in a notebook too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from icc_cli.ranking import text
from icc_cli.ranking.rows import Row


@dataclass(frozen=True)
class Part:
    """The rows of one set of models; `name` is empty when there is one set."""

    name: str
    rows: tuple[Row, ...]
    title: str
    notes: tuple[str, ...] = ()
    symbols: Mapping[str, str] = field(default_factory=dict)
    """LaTeX of the measures that icc does not declare, as their records say."""
    said: tuple[str, ...] = ()
    """Sentences that belong to the table, and stand under its title."""


@dataclass(frozen=True)
class Ranking(Sequence[Row]):
    """The rows of every set of models, in order; `ranking["c3"]` is the first row of a measure."""

    parts: tuple[Part, ...]

    @property
    def rows(self) -> list[Row]:
        """Plain data as JSON holds it; with several sets, each row says its own."""
        several = len(self.parts) > 1
        return [{"set": part.name, **row} if several else row for part in self.parts for row in part.rows]

    @property
    def notes(self) -> list[str]:
        """What was converted, assumed or left out, and what a reviewer would ask about."""
        several = len(self.parts) > 1
        return [f"{part.name}: {note}" if several else note for part in self.parts for note in part.notes]

    @property
    def said(self) -> list[str]:
        """The sentences that stand under the titles."""
        several = len(self.parts) > 1
        return [f"{part.name}: {one}" if several else one for part in self.parts for one in part.said]

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        """The row at a place, the rows of a slice, or the first row of a measure or a checkpoint."""
        if isinstance(key, str):
            for row in self.rows:
                if row.get("measure", row.get("checkpoint")) == key:
                    return row
            raise KeyError(key)
        return self.rows[key]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        return "\n\n".join(text.table(part.rows, part.title, text.WIDTH, said=part.said) for part in self.parts)

    def _repr_html_(self) -> str:
        from icc_cli.ranking import html

        return "".join(html.table(part.rows, part.title, part.said) for part in self.parts)
