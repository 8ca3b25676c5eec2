"""From names to measures: icc's own, by name or group, and anyone's, by file, module or entry point."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points

from icc_cli import catalog
from icc_cli.errors import UsageError
from icc_cli.measures.declare import Measure
from icc_cli.nearest import did_you_mean, nearest

ENTRY_POINTS = "icc.measures"
ALL = "all"


@dataclass(frozen=True)
class Chosen:
    """A measure to compute, and the digest of the file it comes from when it is not icc's (empty otherwise)."""

    measure: Measure
    digest: str = ""

    @property
    def identity(self) -> tuple[str, int, str]:
        """What the numbers depend on besides the network and the options."""
        return self.measure.name, self.measure.version, self.digest


def choose(wanted: Sequence[str | Measure]) -> tuple[Chosen, ...]:
    """The measures that `wanted` names, each once, in order: groups (`paper`, `all`), names (`c1`), `file.py:NAME`,
    `package.module:NAME`, entry points of `icc.measures`, or measures themselves.

    UsageError for a name that is not known, and for two measures of one name.
    """
    found: dict[str, Chosen] = {}
    for one in wanted:
        for chosen in [Chosen(one)] if isinstance(one, Measure) else _named(one):
            name = chosen.measure.name
            if (chosen.digest and catalog.known(name)) or found.get(name, chosen) != chosen:
                raise UsageError(f"there are two measures named {name!r}.", "Give one of them another name.")
            found[name] = chosen
    if not found:
        raise UsageError("no measure is named.", f"Name some of {', '.join(_computed())}, or a group.")
    return tuple(found.values())


@cache
def _named(text: str) -> tuple[Chosen, ...]:
    names = _computed() if text == ALL else tuple(catalog.GROUPS.get(text, {text: ""} if catalog.known(text) else ()))
    if names:
        return tuple(Chosen(_own(name)) for name in names)
    from icc_cli.loading import Inside, named

    installed = {point.name for point in entry_points(group=ENTRY_POINTS)}
    if ":" not in text and text not in installed:
        groups = [group for group in catalog.GROUPS if group != "sharpness"]
        known = [*groups, ALL, *_computed(), *sorted(installed)]
        raise UsageError(
            f"unknown measure {text!r}.",
            f"{did_you_mean(nearest(text, known))}Name a group ({', '.join(groups)}, {ALL}), a measure, or your own as "
            "path/to/file.py:NAME or package.module:NAME.",
            sorted(installed),
        )
    loaded = named(text, "measure", ENTRY_POINTS)
    if not isinstance(loaded.value, Measure):
        raise UsageError(
            f"{text} is a {type(loaded.value).__name__}, expected an icc_cli.Measure.", "See docs/measures.md."
        )
    measure, world = loaded.value, loaded.world
    scores, reduce = Inside(world, measure.scores), measure.reduce and Inside(world, measure.reduce)
    return (Chosen(replace(measure, scores=scores, reduce=reduce), loaded.digest),)


def _own(name: str) -> Measure:
    measure = catalog.find(name)
    if not isinstance(measure, Measure):
        raise UsageError(f"{name} is not taken from activations.", "See `icc sharpness`.")
    return measure


def _computed() -> tuple[str, ...]:
    """Every measure of icc's that is taken from activations, in the catalog's order."""
    names = (name for group in catalog.GROUPS.values() for name in group)
    return tuple(name for name in names if isinstance(catalog.find(name), Measure))
