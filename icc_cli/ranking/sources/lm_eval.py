"""The JSON that lm-evaluation-harness writes for one model."""

from collections.abc import Mapping
from typing import Any

from icc_cli.shapes import JsonObject


def is_results(content: Mapping[str, Any]) -> bool:
    """Whether an object holds an evaluation's results by task."""
    results = content.get("results")
    return (
        isinstance(results, Mapping) and bool(results) and all(isinstance(task, Mapping) for task in results.values())
    )


def row(content: Mapping[str, Any]) -> JsonObject:
    """One row: `checkpoint`, the model's arguments as settings, and `TASK/METRIC` for each number, its filter after
    another slash."""
    config = content.get("config") or {}
    given = config.get("model_args") or {}
    if isinstance(given, str):
        given = dict(pair.split("=", 1) for pair in given.split(",") if "=" in pair)
    parts = [str(given[name]) for name in ("pretrained", "peft", "revision") if given.get(name)]
    cells: JsonObject = {"checkpoint": "@".join(parts) or str(content.get("model_name") or "model")}
    cells |= {f"params.{name}": value for name, value in given.items()}
    for task, results in content["results"].items():
        for name, value in results.items():
            if isinstance(value, int | float):
                # Versions since 0.4 write the filter too: `acc,none`.
                cells[f"metrics.{task}/{name.removesuffix(',none').replace(',', '/')}"] = value
    return cells
