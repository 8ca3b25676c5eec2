"""What the columns of a table of runs are: settings, results, or what a tool says of the run itself."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from icc_cli.errors import FormatError
from icc_cli.ranking.directions import sense
from icc_cli.ranking.table import METRICS
from icc_cli.ranking.values import MISSING_WORDS, number
from icc_cli.shapes import JsonObject

Cells = JsonObject

NESTED = ("hparams", "metrics", "config", "summary", "params", "_summary", "summary_metrics")
RESULTS = ("metrics", "summary", "_summary", "summary_metrics")
SETTINGS = re.compile(r"(?:params|config|hparams)[./]|params_")
FOUND = re.compile(r"(?:metrics|summary|_summary|summary_metrics)[./]|user_attrs_")
OBJECTIVE = re.compile(r"values?(?:_\d+)?")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PROGRESS = _words(
    "epoch step steps runtime duration time timestamp norm iteration best score scores flops latency memory"
)
"""Words in the names of numbers that are no settings."""
OWN = {
    "Weights & Biases": _words(
        "Name State Notes User Tags Created Updated Runtime Sweep ID Commit Description GPU_Type GPU_Count Github "
        "Hostname Start_Time End_Time Job_Type Group Agent _runtime _step _timestamp _wandb"
    ),
    "MLflow": _words(
        "Start_Time Duration Run_ID Name Source_Type Source_Name User Status Experiment Created Dataset Models"
    ),
    "Optuna": _words("number datetime_start datetime_complete duration state"),
    "Ray Tune": _words(
        "trial_id trial_name experiment_id experiment_tag logdir date timestamp time_this_iter_s time_total_s pid "
        "hostname node_ip done training_iteration time_since_restore iterations_since_restore timesteps_total "
        "episodes_total warmup_time should_checkpoint checkpoint_dir_name timesteps_since_restore"
    ),
    "TensorBoard": _words("Trial_ID Show_Metrics session_group_name"),
    "timm": _words("model param_count"),
}
"""Columns that tools write of a run beside its settings and results, with blanks as underscores."""
MARKS = {
    "Weights & Biases": {"State", "Created"},
    "MLflow": {"Run_ID", "Status"},
    "Optuna": {"number", "state"},
    "Ray Tune": {"trial_id", "training_iteration"},
    "TensorBoard": {"Trial_ID"},
    "timm": {"model", "top1", "top5"},
}
"""Columns by which an export is known."""


STATES = ("State", "state", "Status", "status")
FINISHED = frozenset({"finished", "complete", "completed", "terminated", "success", "succeeded", "done"})


@dataclass(frozen=True)
class Columns:
    """The plain name of each setting and of each result, by column; `tool` is empty for a plain table."""

    tool: str
    settings: dict[str, str]
    results: dict[str, str]

    def shown(self, where: str) -> str:
        """What is taken for what, in a sentence."""
        settings = ", ".join(self.settings.values()) or "none"
        results = ", ".join(self.results.values()) or "none"
        return (
            f"{where} is taken as an export of {self.tool}: settings {settings}; results {results}; "
            "--hparams and --metrics decide otherwise."
        )


def told_apart(
    rows: Sequence[Cells], tool: str, target: str, hparams: Sequence[str] | None, metrics: Sequence[str] | None
) -> Columns:
    """Settings and results by the tool's prefixes; in a table without, by name, a result being a number that is
    called a loss, an error, an accuracy or a progress. `hparams` and `metrics` decide for the columns that they name.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    own = OWN.get(tool, frozenset())
    marked = any(SETTINGS.match(name) for name in names)
    settings: dict[str, str] = {}
    results: dict[str, str] = {}
    for name in names:
        setting, found = SETTINGS.match(name), FOUND.match(name)
        objective = tool == "Optuna" and OBJECTIVE.fullmatch(name)
        plain = name[setting.end() :] if setting else name[found.end() :] if found else name
        if hparams is not None and {name, plain} & {*hparams}:
            settings[name] = plain
        elif {name, plain} & {target, *METRICS, *(metrics or ())}:
            results[name] = plain
        elif setting:
            settings[name] = plain
        elif found or objective or (tool == "Ray Tune" and name not in own and _are_numbers(rows, name)):
            if metrics is None and _are_numbers(rows, name):
                results[name] = plain
        elif (
            marked
            or name == "checkpoint"
            or name.replace(" ", "_") in own
            or name.startswith(("tags.", "system_attrs_"))
        ):
            continue
        elif _is_result(plain) and _are_numbers(rows, name):
            if metrics is None and not _progress(plain):
                results[name] = plain
        else:
            settings[name] = plain
    return Columns(tool or ("a tool" if marked else ""), settings, results)


def flat(row: Mapping[str, Any], where: str) -> Cells:
    """The row with nested configurations and metrics, JSON's or a printed Python dict's, as columns of their own."""
    cells: Cells = {}
    for name, value in row.items():
        if name in NESTED and isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = ast.literal_eval(re.sub(r"\b(nan|inf)\b", "None", value))
            except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
                raise FormatError(
                    f"{where} has a {name!r} that is not a dictionary: {value[:60]} ...", "Export it as JSON."
                ) from error
        if name in NESTED and isinstance(value, dict):
            cells |= _nested("metrics" if name in RESULTS else "params", value)
        else:
            cells[name] = value
    return cells


def _nested(prefix: str, values: Mapping[str, Any]) -> Cells:
    """`params.model.width` of {"model": {"width": 1}}; what a tool keeps for itself begins with `_`."""
    cells: Cells = {}
    for key, value in values.items():
        if not str(key).startswith("_"):
            name = f"{prefix}.{key}"
            cells |= _nested(name, value) if isinstance(value, dict) and value else {name: value}
    return cells


def last_of_trials(rows: Sequence[Cells]) -> list[Cells]:
    """Of Ray Tune's rows of one trial, one for each report, the last; other rows as they are."""
    last: dict[object, Cells] = {}
    for i, row in enumerate(rows):
        trial = row["trial_id"] if tool_of([row]) == "Ray Tune" else i
        now, known = (number(one.get("training_iteration"), "training_iteration") for one in (row, last.get(trial, {})))
        if not now < known:
            last[trial] = row
    return list(last.values())


def unfinished(rows: Sequence[Cells], where: str) -> list[str]:
    """A sentence on the runs that their tool calls anything but finished."""
    states = [str(row[name]).rpartition(".")[2].lower() for row in rows for name in STATES if row.get(name)]
    odd = [state for state in states if state not in FINISHED]
    if not odd:
        return []
    kinds = ", ".join(dict.fromkeys(odd))
    return [f"{len(odd)} of the {len(rows)} runs in {where} did not finish ({kinds}): taken as they are."]


def tool_of(rows: Sequence[Cells]) -> str:
    """The tool whose export has such columns; empty for a plain table."""
    present = {name.replace(" ", "_") for row in rows[:1] for name in row}
    return next((tool for tool, marks in MARKS.items() if marks <= present), "")


def _is_result(name: str) -> bool:
    return sense(name) != 0 or _progress(name)


def _progress(name: str) -> bool:
    return bool(PROGRESS & set(re.split(r"[^a-z0-9]+", name.lower())))


def _are_numbers(rows: Sequence[Cells], name: str) -> bool:
    """Whether every value of a column that is there is a number."""
    try:
        for row in rows:
            number(row.get(name), name)
    except FormatError:
        return False
    return any(str(row.get(name)).strip().lower() not in MISSING_WORDS for row in rows)
