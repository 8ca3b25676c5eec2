"""The JSON that lm-evaluation-harness writes for one model."""

from collections.abc import Mapping
from typing import Any

from icc_cli.shapes import JsonObject, anything, either, fields, fits, mapping, number, optional, plain, require, text

_RESULTS = fields({"results": mapping(mapping(plain))}, {}, anything)
_SHAPE = fields(
    {"results": mapping(mapping(plain))},
    {
        "config": optional(
            fields({}, {"model_args": optional(either(text, mapping(plain), expected="text or an object"))})
        ),
        "model_name": optional(text),
    },
    anything,
)


def is_results(content: Mapping[str, Any]) -> bool:
    """Whether an object holds an evaluation's results by task."""
    return fits(_RESULTS, content) and bool(content["results"])


def row(content: Mapping[str, Any], where: str) -> JsonObject:
    """One row: `checkpoint`, the model's arguments as settings, and `TASK/METRIC` for each number, its filter after
    another slash. FormatError for results that are not as it writes them."""
    require(_SHAPE, content, where)
    config = content.get("config") or {}
    given = config.get("model_args") or {}
    if isinstance(given, str):
        given = dict(pair.split("=", 1) for pair in given.split(",") if "=" in pair)
    parts = [str(given[name]) for name in ("pretrained", "peft", "revision") if given.get(name)]
    cells: JsonObject = {"checkpoint": "@".join(parts) or str(content.get("model_name") or "model")}
    cells |= {f"params.{name}": value for name, value in given.items()}
    for task, results in content["results"].items():
        for name, value in results.items():
            if fits(number, value):
                # Versions since 0.4 write the filter too: `acc,none`.
                cells[f"metrics.{task}/{name.removesuffix(',none').replace(',', '/')}"] = value
    return cells
