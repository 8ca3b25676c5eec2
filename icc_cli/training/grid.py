"""A set of models: a TOML file's values per hyperparameter, multiplied out, less the exclusions."""

import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from icc_cli.errors import UsageError

DEFAULTS: dict[str, Any] = {
    "lr": 0.1,
    "weight_decay": 0.0,
    "batch_size": 100,
    "optimizer": "sgd",
    "dropout": 0.0,
    "augmentation": False,
    "width": 1.0,
    "depth": 1.0,
    "seed": 0,
}
"""Every hyperparameter, and its value where the grid names none."""
KINDS: dict[str, type] = {name: type(value) for name, value in DEFAULTS.items()}


@dataclass(frozen=True)
class Grid:
    """What every network of a set shares, and the hyperparameters that vary (`axes`: names to joint values)."""

    model: str
    data: str
    axes: dict[tuple[str, ...], list[tuple[Any, ...]]]
    model_args: dict[str, Any] = field(default_factory=dict)
    exclude: list[dict[str, Any]] = field(default_factory=list)
    per_class: int | None = None
    epochs: int = 250
    drops: tuple[int, ...] = (150, 230, 240)
    """Epochs after which the learning rate is multiplied by `drop_factor`."""
    drop_factor: float = 0.2
    stop_loss: float = 1e-4
    """Training ends when the mean loss of an epoch falls under this."""
    shift: int = 4
    """Augmentation: shifts of up to so many pixels both ways, filled by reflection ..."""
    flip: bool = True
    """... and horizontal flips."""

    def configurations(self) -> list[dict[str, Any]]:
        """The hyperparameters of each network, in a fixed order."""
        found = []
        for combination in itertools.product(*self.axes.values()):
            hparams = dict(DEFAULTS)
            for names, values in zip(self.axes, combination, strict=True):
                hparams.update(zip(names, values, strict=True))
            if not any(all(hparams[key] == value for key, value in rule.items()) for rule in self.exclude):
                found.append(hparams)
        return found

    def name(self, hparams: Mapping[str, Any]) -> str:
        """A readable file name, without suffix, unique within the set: the hyperparameters that vary."""
        varied = [name for names in self.axes for name in names]
        return "_".join(f"{name}={_text(hparams[name])}" for name in varied) or "network"

    def scaled(self, epochs: int | None) -> "Grid":
        """The same set trained for `epochs`, the learning rate's drops moved in proportion."""
        if epochs is None:
            return self
        drops = tuple(round(drop * epochs / self.epochs) for drop in self.drops)
        return replace(self, epochs=epochs, drops=drops)


def presets() -> list[str]:
    """The names of the grids that are built in."""
    folder = resources.files("icc_cli.training") / "presets"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_preset(name: str) -> Grid:
    """A built-in grid; UsageError when there is none of that name."""
    if name not in presets():
        raise UsageError(f"there is no preset {name!r}.", f"Expected one of {', '.join(presets())}.")
    text = (resources.files("icc_cli.training") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return parse(text, f"preset {name}")


def read(path: Path) -> Grid:
    """The grid in a TOML file; UsageError when it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the grid {path}: {error}.") from error


def parse(text: str, where: str) -> Grid:
    """The grid in TOML `text`; UsageError, naming `where`, for anything it does not know."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}.") from error
    known = {item.name for item in fields(Grid)} - {"axes"} | {"grid"}
    if unknown := sorted(set(content) - known):
        raise UsageError(f"{where} has unknown keys: {', '.join(unknown)}.", f"Known: {', '.join(sorted(known))}.")
    for key in ("model", "data", "grid"):
        if key not in content:
            raise UsageError(f"{where} lacks {key!r}.")
    axes = {}
    for joint, values in content.pop("grid").items():
        names = tuple(name.strip() for name in joint.split(","))
        axes[names] = [_values(names, value, where) for value in values]
    content["drops"] = tuple(content.get("drops", (150, 230, 240)))
    return Grid(axes=axes, **content)


def _values(names: tuple[str, ...], value: Any, where: str) -> tuple[Any, ...]:
    values = tuple(value) if len(names) > 1 and isinstance(value, list) else (value,)
    if len(values) != len(names):
        raise UsageError(f"{where}: {', '.join(names)} takes {len(names)} values at a time, got {value!r}.")
    return tuple(_checked(name, item, where) for name, item in zip(names, values, strict=True))


def _checked(name: str, value: Any, where: str) -> Any:
    if name not in DEFAULTS:
        raise UsageError(f"{where}: unknown hyperparameter {name!r}.", f"Known: {', '.join(DEFAULTS)}.")
    if KINDS[name] is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not KINDS[name]:
        raise UsageError(f"{where}: {name} must be a {KINDS[name].__name__}, got {value!r}.")
    return value


def _text(value: Any) -> str:
    return (
        {True: "yes", False: "no"}[value]
        if isinstance(value, bool)
        else format(value, "g")
        if isinstance(value, float)
        else str(value)
    )
