"""What measuring one network gives. Plain data: imports no numerics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icc_cli.measures.site import Array


@dataclass(frozen=True)
class SiteValues:
    """One site: its neurons, how many are dead, and each measure's value; None where one is not defined."""

    name: str
    neurons: int
    dead: int
    measures: Mapping[str, float | None]


@dataclass(frozen=True, eq=False, repr=False)
class Result(Mapping[str, "float | None"]):
    """The measures of one network by name, `result["c1"]`; None where one is not defined, with a note that says why.

    `groups` says how many classes and subclasses occur (0 subclasses without a hierarchy). `per_site`, and `all_k` with
    the (n,) values for k = 1..n, are there when they were asked for.
    """

    measures: Mapping[str, float | None]
    notes: tuple[str, ...] = ()
    groups: Mapping[str, int] = field(default_factory=dict)
    per_site: "tuple[SiteValues, ...] | None" = None
    all_k: "Mapping[str, Array | None] | None" = None

    def __getitem__(self, name: str) -> float | None:
        return self.measures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.measures)

    def __len__(self) -> int:
        return len(self.measures)

    def __repr__(self) -> str:
        values = (f"{name} {_shown(value)}" for name, value in self.measures.items())
        return "\n".join([", ".join(values), *(f"  {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        import html

        rows = [("", self.measures), *((site.name, site.measures) for site in self.per_site or ())]
        names = "".join(f"<th>{html.escape(name)}</th>" for name in self.measures)
        body = "".join(
            f"<tr><th>{html.escape(title) or 'network'}</th>"
            + "".join(f"<td>{_shown(values.get(name))}</td>" for name in self.measures)
            + "</tr>"
            for title, values in rows
        )
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        return f"<table><thead><tr><th></th>{names}</tr></thead><tbody>{body}</tbody></table>{notes}"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
