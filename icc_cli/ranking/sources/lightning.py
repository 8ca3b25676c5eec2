"""The folders of Lightning's CSVLogger: `hparams.yaml` with the settings, `metrics.csv` with the results."""

from pathlib import Path

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.sources.delimited import read_rows
from icc_cli.shapes import JsonObject

SETTINGS, RESULTS = "hparams.yaml", "metrics.csv"


def rows(folder: Path) -> list[JsonObject]:
    """A row for each run below `folder`, named by its own folder: settings, and the last value of each metric."""
    found = sorted(folder.rglob(SETTINGS))
    if not found:
        raise UsageError(f"the folder {folder} holds no {SETTINGS}.", "Name a table, or a folder of Lightning's logs.")
    return [_row(path.parent) for path in found]


def _row(run: Path) -> JsonObject:
    cells: JsonObject = {"checkpoint": run.resolve().name}
    cells |= {f"params.{name}": value for name, value in _settings(run / SETTINGS).items()}
    path = run / RESULTS
    if path.exists():
        with path.open(encoding="utf-8", newline="") as lines:
            for row in read_rows(lines, str(path)):
                cells |= {f"metrics.{name}": value for name, value in row.items() if value != ""}
    return cells


def _settings(path: Path) -> JsonObject:
    try:
        import yaml
    except ImportError as error:
        hint = "Run `pip install 'icc-cli[tables]'`."
        raise UsageError(f"{path} needs PyYAML, which is not installed.", hint) from error
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise FormatError(f"{path} is no plain YAML: {error}.", "Keep plain values in it.") from error
    if not isinstance(found, dict):
        raise FormatError(f"{path} holds no settings by name.")
    return found
