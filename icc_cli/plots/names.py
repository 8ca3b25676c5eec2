"""Names of checkpoints, short enough for a key."""

import re
from collections.abc import Sequence

LONGEST = 40


def short(names: Sequence[str]) -> list[str]:
    """Each name by what tells it from the others: the parts, between - and /, in which not all agree.

    Names of different numbers of parts stay whole. What is longer than LONGEST is cut in the middle, unless two would
    then be the same.
    """
    distinct = len(set(names))
    parts = [re.split(r"[-/]", re.sub(r"\.(pt|pth|safetensors|ckpt|bin)$", "", name)) for name in names]
    kept = ["-".join(part) for part in parts]
    if distinct > 1 and len({len(part) for part in parts}) == 1:
        differing = [i for i, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
        kept = ["-".join(part[i] for i in differing) for part in parts]
    shorter = [cut(name) for name in kept]
    return next(found for found in (shorter, kept, list(names)) if len(set(found)) == distinct)


def cut(name: str) -> str:
    """A name without its middle, where it is longer than LONGEST."""
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
