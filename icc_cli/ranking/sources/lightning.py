"""The folders of Lightning's CSVLogger: `hparams.yaml` with the settings, `metrics.csv` with the results."""

from pathlib import Path
from typing import Any

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.sources.delimited import read_rows
from icc_cli.shapes import JsonObject, mapping, plain, require

SETTINGS, RESULTS = "hparams.yaml", "metrics.csv"


def rows(folder: Path) -> list[JsonObject]:
    """A row for each run below `folder`, named by its path from there: settings, and the last value of each metric."""
    found = sorted(folder.rglob(SETTINGS))
    above = folder.resolve().parent
    return [_row(path.parent, str(path.parent.resolve().relative_to(above))) for path in found]


def _row(run: Path, name: str) -> JsonObject:
    cells: JsonObject = {"checkpoint": name, "hparams": _settings(run / SETTINGS)}
    path = run / RESULTS
    if path.exists():
        try:
            with path.open(encoding="utf-8", newline="") as lines:
                for row in read_rows(lines, str(path)):
                    cells |= {f"metrics.{name}": value for name, value in row.items() if value != ""}
        except (OSError, UnicodeDecodeError) as error:
            raise FormatError(f"cannot read {path} as a table: {error}.") from error
    return cells


def _settings(path: Path) -> JsonObject:
    try:
        import yaml
    except ImportError as error:
        hint = "Run `pip install 'icc-cli[tables]'`."
        raise UsageError(f"{path} needs PyYAML, which is not installed.", hint) from error
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _plain_loader()) or {}
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(f"{path} is not plain YAML: {reason}.", "Keep plain values in it.") from error
    require(mapping(plain), found, path, "Keep plain values in it.")
    settings: JsonObject = found
    return settings


def _plain_loader() -> Any:
    """Reads YAML as plain values: a tuple as a list, any other thing of Python's by its name; none of it is made. Names
    and times are text."""
    import yaml

    def named(loader: Any, node: Any, deep: bool = False) -> JsonObject:
        return {str(name): item for name, item in yaml.SafeLoader.construct_mapping(loader, node, deep).items()}

    def plain(loader: Any, name: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node) or name
        if isinstance(node, yaml.SequenceNode):
            items = loader.construct_sequence(node, deep=True)
            return items if name in ("tuple", "list") else [name, *items]
        return {"": name, **loader.construct_mapping(node, deep=True)}

    loader: Any = type("Plain", (yaml.SafeLoader,), {"construct_mapping": named})
    loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_scalar)
    loader.add_multi_constructor("tag:yaml.org,2002:python/", plain)
    return loader
