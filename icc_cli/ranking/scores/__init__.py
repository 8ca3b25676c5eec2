"""Scores: how a study's measures are compared with its target. Each is a file here and a line below.

A score's module has `Options`, a frozen dataclass, and `score(study, options)`, which gives a `Part`.
"""

from collections.abc import Callable
from dataclasses import fields
from importlib import import_module

from icc_cli.errors import UsageError
from icc_cli.ranking.names import suggestion
from icc_cli.ranking.result import Part
from icc_cli.ranking.study import Study
from icc_cli.shapes import JsonObject

SCORES = {
    "kendall": "icc_cli.ranking.scores.kendall",
    "cmi": "icc_cli.ranking.scores.cmi",
    "pgdl": "icc_cli.ranking.scores.pgdl",
    "sign-error": "icc_cli.ranking.scores.sign_error",
}
"""The module of each score, by the name that an option gives it."""

LEAST, MOST = 0.5, 0.9999
"""Confidence of intervals."""
CUSTOM = "icc_cli.ranking.scores.custom"

Scored = Callable[[Study], Part]


def score_of(name: str, options: JsonObject) -> Scored:
    """The score `name`, or `file.py:function`, with its options; UsageError for one that is not there."""
    own = ":" in name or name.endswith(".py")
    if name not in SCORES and not own:
        raise UsageError(f"there is no score {name!r}.", suggestion(name, SCORES))
    module = import_module(CUSTOM if own else SCORES[name])
    options = {**options, "function": name} if own else options
    known = [field.name for field in fields(module.Options)]
    for option in options:
        if option not in known:
            raise UsageError(
                f"--{option.replace('_', '-')} does not go with --score {name}.",
                f"Its options are {', '.join('--' + one.replace('_', '-') for one in known) or 'none'}.",
            )
    confidence = options.get("confidence", LEAST)
    if not LEAST <= confidence <= MOST:
        raise UsageError(f"--confidence {confidence:g} is not from {LEAST:g} to {MOST:g}.", "95 % is 0.95.")
    chosen = module.Options(**options)
    return lambda study: module.score(study, chosen)
