"""Names that a user wrote, and those that there are."""

from collections.abc import Iterable

from icc_cli.nearest import did_you_mean, nearest

NAMES_SHOWN = 8


def listed(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    names = list(names)
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more if names else "none"


def suggestion(name: str, known: Iterable[str], there: str = "There are:") -> str:
    """What to do about a name that is not there: the nearest ones, or those it is a word of, or else some that are."""
    known = list(dict.fromkeys(known))
    return f"{did_you_mean(nearest(name, known))}{there} {listed(known)}."
