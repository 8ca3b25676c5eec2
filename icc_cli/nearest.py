"""What somebody who wrote a name that is not there may have meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.5
MOST = 3


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The nearest of the known names in any case, or else those that `name` is a word of; three at most."""
    known = list(dict.fromkeys(known))
    lower = {one.lower(): one for one in reversed(known)}
    close = [lower[one] for one in get_close_matches(name.lower(), lower, MOST, LIKENESS)]
    words = {one: re.split(r"[^a-z0-9]+", one.lower()) for one in known}
    return close or [one for one in known if name.lower() in words[one]][:MOST]


def did_you_mean(names: Iterable[str]) -> str:
    """`Did you mean 'a' or 'b'? `, and nothing where there is none."""
    shown = " or ".join(repr(one) for one in names)
    return f"Did you mean {shown}? " if shown else ""
