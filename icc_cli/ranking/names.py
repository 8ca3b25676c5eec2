"""Names that a user wrote, and those that there are."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

NAMES_SHOWN = 8
LIKENESS = 0.5


def listed(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    names = list(names)
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more if names else "none"


def suggestion(name: str, known: Iterable[str], there: str = "There are:") -> str:
    """What to do about a name that is not there: the nearest ones, or those it is a word of, or else some that are."""
    known = list(dict.fromkeys(known))
    lower = {one.lower(): one for one in reversed(known)}
    close = [lower[one] for one in get_close_matches(name.lower(), lower, 3, LIKENESS)]
    words = {one: re.split(r"[^a-z0-9]+", one.lower()) for one in known}
    close = close or [one for one in known if name.lower() in words[one]][:3]
    if close:
        return f"Did you mean {' or '.join(repr(one) for one in close)}? {there} {listed(known)}."
    return f"{there} {listed(known)}."
