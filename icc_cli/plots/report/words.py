"""What records say of models and data, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from icc_cli.plots.style import level_text

SHOWN = 8
"""Different values that are listed."""
LONGEST = 60
SETTINGS = {
    "convention": "convention",
    "k": "neurons averaged (k)",
    "layer_k": "sites averaged (layer k)",
    "site_k": "neurons averaged within a site",
    "method": "sharpness by",
    "target": "sharpness target",
    "batch_norm": "batch norm under perturbation",
    "samples": "samples for sharpness",
    "tolerance": "sharpness tolerance",
}


def plain(value: object) -> str:
    """Any plain data without brackets and quotes: `key value; key value`, `a, b`, yes, 0.1."""
    if isinstance(value, Mapping):
        return "; ".join(f"{str(key).replace('_', ' ')} {plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return level_text(value)


def counted(values: Sequence[object], noun: str = "models") -> str:
    """Each different value with how many have it, the values alone where there is one: `0.1 (24 models), 0.2 (48)`."""
    counts = Counter(map(plain, values))
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{text} ({count}{f' {noun}' if i == 0 else ''})" for i, (text, count) in enumerate(counts.items())]
    return ", ".join(shown[:SHOWN]) + (f", and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")


def model(values: Sequence[object]) -> list[tuple[str, str]]:
    """The architectures, and the arguments that all of them have in common."""
    found = [value if isinstance(value, Mapping) else {"spec": value} for value in values]
    facts = [("architecture", counted([one.get("spec") or "not said" for one in found]))]
    args = [own if isinstance(own := one.get("args"), Mapping) else {} for one in found]
    common = {key: one for key, one in args[0].items() if all(each.get(key, ...) == one for each in args)}
    if common:
        facts.append(("arguments of the model", plain(common)))
    return facts


def data(value: object) -> list[tuple[str, str]]:
    """The data set and how it was read."""
    if not isinstance(value, Mapping):
        return [("data", plain(value) if value else "not said")]
    facts = [("data", plain(value.get("spec") or "not said"))]
    for key, one in value.items():
        if key == "spec" or one is None:
            continue
        name = "normalised with" if key == "normalisation" else str(key).replace("_", " ")
        if key == "hierarchy" and isinstance(one, Mapping):
            parents = {plain(parent) for parent in one.values()}
            facts.append((name, f"{len(one)} subclasses in {len(parents)} classes"))
        elif key == "digest":
            facts.append(("digest of the data", plain(one)[:12]))
        else:
            text = plain(one)
            facts.append((name, text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"))
    return facts


def settings(found: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """What the measures were computed with."""
    facts = []
    for key, name in SETTINGS.items():
        values = [one[key] for one in found if one.get(key) is not None]
        if values:
            facts.append((name, counted(values, "records")))
    return facts
