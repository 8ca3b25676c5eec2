"""A set of models as a TOML file: which values each hyperparameter takes, together or apart, and what is left out."""

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from icc_cli.errors import UsageError
from icc_cli.nearest import did_you_mean, nearest
from icc_cli.shapes import (
    JsonObject,
    Shape,
    counted,
    fields,
    finite,
    items,
    mapping,
    natural,
    not_negative,
    one_of,
    positive,
    require,
    scalar,
    several,
    shown,
    truth,
    unknown,
    words,
)

Hparams = JsonObject

DEFAULTS: Hparams = {"lr": 0.1, "batch_size": 100, "weight_decay": 0.0, "optimizer": "sgd", "augmentation": False}
"""The hyperparameters of training itself. Every other name in a grid is an argument of the model."""
OPTIMIZERS = ("sgd", "adam")
MOST = 1_000_000
"""Networks of one set."""
HINT = "See docs/models.md."
DOTTED = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+[ \t]*\.[ \t]*){64}""")
"""Keys whose tables lie deeper than any grid's; reading them takes the square of their length."""
_RECIPE: dict[str, Shape] = {
    "epochs": counted,
    "drops": items(natural),
    "drop_factor": positive,
    "stop_loss": finite,
    "momentum": not_negative,
    "adam_divisor": positive,
    "shift": natural,
    "flip": truth,
    "fitted": finite,
}
_RULE = mapping(scalar)
_TABLES: dict[str, Shape] = {
    "data": fields({}, {"spec": words, "per_class": counted, "image_size": counted}),
    "training": fields({}, _RECIPE, unknown(*_RECIPE)),
    "schedule": items(fields({"when": _RULE}, _RECIPE, unknown("when", *_RECIPE))),
    "grid": mapping(items(scalar)),
    "joint": items(fields({"names": items(words), "values": items(items(scalar))}, {}, unknown("names", "values"))),
    "exclude": items(_RULE),
    "seeds": items(natural),
}
_SHAPE = fields({"model": fields({"spec": words}, {})}, _TABLES, unknown("model", *_TABLES))
_HPARAMS = fields(
    {},
    {
        "lr": not_negative,
        "batch_size": several,
        "weight_decay": not_negative,
        "optimizer": one_of(*OPTIMIZERS),
        "augmentation": truth,
        **dict.fromkeys(("width", "depth"), positive),
        "dropout": not_negative,
        "seed": natural,
    },
    scalar,
)
"""One configuration; what is not of training itself is the model's."""


@dataclass(frozen=True)
class Recipe:
    """How each network of a set is trained, whatever its hyperparameters."""

    epochs: int = 250
    drops: tuple[int, ...] = (150, 230, 240)
    """Epochs after which the learning rate is multiplied by `drop_factor`."""
    drop_factor: float = 0.2
    stop_loss: float = 1e-4
    """Training stops after the first epoch whose mean training loss is under this."""
    momentum: float = 0.9
    adam_divisor: float = 100.0
    """Adam's learning rate is the grid's, divided by this."""
    shift: int = 4
    """Augmentation: pixels of shift, at most, each way."""
    flip: bool = True
    """Augmentation: horizontal flips."""
    fitted: float = 0.99
    """Train accuracy from which a network counts as fitted."""

    def scaled(self, epochs: int) -> "Recipe":
        """The same schedule over `epochs`: the drops move in proportion."""
        if epochs < 1:
            raise UsageError(f"training takes at least one epoch, got {epochs}.")
        return replace(self, epochs=epochs, drops=tuple(round(drop * epochs / self.epochs) for drop in self.drops))

    def rate(self, hparams: Mapping[str, Any], epoch: int) -> float:
        """The learning rate during `epoch`, counted from 1."""
        base = float(hparams["lr"]) / (self.adam_divisor if hparams["optimizer"] == "adam" else 1)
        return base * self.drop_factor ** sum(epoch > drop for drop in self.drops)


@dataclass(frozen=True)
class Schedule:
    """The recipe of the configurations that have all the values of `when`."""

    when: Hparams
    recipe: Recipe


@dataclass(frozen=True)
class Grid:
    """A set of models to train, in the order of `configurations`: the first axis of the file varies slowest."""

    name: str
    data: JsonObject
    model: str
    model_args: JsonObject
    recipe: Recipe
    configurations: tuple[Hparams, ...]
    schedules: tuple[Schedule, ...] = ()

    def recipe_of(self, hparams: Mapping[str, Any]) -> Recipe:
        """The recipe of one configuration: that of the first schedule that matches it, or the grid's own."""
        return next((s.recipe for s in self.schedules if _matches(hparams, s.when)), self.recipe)

    def scaled(self, epochs: int) -> "Grid":
        """The same grid with the recipe scaled to `epochs`, and those of its schedules in proportion."""
        factor = epochs / self.recipe.epochs
        schedules = (
            replace(s, recipe=s.recipe.scaled(max(1, round(s.recipe.epochs * factor)))) for s in self.schedules
        )
        return replace(self, recipe=self.recipe.scaled(epochs), schedules=tuple(schedules))


def presets() -> list[str]:
    """Names of the sets that come with icc."""
    folder = resources.files(__package__) / "presets"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load(name: str) -> Grid:
    """A preset by name, or a TOML file by path. UsageError when it is neither, or makes no sense."""
    if name in presets():
        return parse((resources.files(__package__) / "presets" / f"{name}.toml").read_text("utf-8"), name)
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise UsageError(
            f"there is no preset or .toml file {name!r}.",
            f"{did_you_mean(nearest(name, presets()))}Presets: {', '.join(presets())}.",
        )
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the grid {path}: {error}.") from error


def parse(text: str, name: str) -> Grid:
    """The grid that `text` (TOML) describes; see docs/models.md for the format."""
    table = _toml(text, name)
    require(_SHAPE, table, f"the grid {name}", HINT, UsageError)
    model = dict(table["model"])
    spec = model.pop("spec")
    recipe = _recipe(Recipe(), table.get("training", {}))
    configurations = _configurations(table, name)
    schedules = tuple(_schedules(table, recipe, configurations, name))
    return Grid(name, dict(table.get("data", {})), spec, model, recipe, tuple(configurations), schedules)


def _toml(text: str, name: str) -> JsonObject:
    try:
        if DOTTED.search(text):
            raise ValueError("a key is nested too deep")
        return tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"the grid {name} is not TOML: it is nested too deep.") from error
    except ValueError as error:
        reason = "a number has too many digits" if "digits" in str(error) else error
        raise UsageError(f"the grid {name} is not TOML: {reason}.") from error


def _recipe(base: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """`base` with the settings of a table of the file."""
    changed: JsonObject = {key: tuple(value) if key == "drops" else value for key, value in settings.items()}
    return replace(base, **changed)


def _schedules(
    table: Mapping[str, Any], base: Recipe, configurations: Sequence[Hparams], name: str
) -> Iterator[Schedule]:
    """Each [[schedule]]: the settings of [training] that it changes, for the configurations of its `when`."""
    for number, settings in enumerate(table.get("schedule", []), start=1):
        where = f"[[schedule]] {number} of the grid {name}"
        when = settings["when"]
        if not when:
            raise UsageError(f"{where} does not say when it applies.", "Add when = {augmentation = true}.")
        if not any(_matches(configuration, when) for configuration in configurations):
            raise UsageError(f"{where} applies to no configuration: {when}.", "Check the names and values in `when`.")
        yield Schedule(when, _recipe(base, {key: value for key, value in settings.items() if key != "when"}))


def _matches(hparams: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return all(hparams.get(key) == value for key, value in rule.items())


def _configurations(table: Mapping[str, Any], name: str) -> list[Hparams]:
    """Every combination of the axes, without the excluded ones, seeds last."""
    axes: list[list[Hparams]] = [[{key: value} for value in values] for key, values in table.get("grid", {}).items()]
    for joint in table.get("joint", []):
        if any(len(values) != len(joint["names"]) for values in joint["values"]):
            raise UsageError(f"the grid {name} has a [[joint]] whose values are not as many as its names.", HINT)
        axes.append([dict(zip(joint["names"], values, strict=True)) for values in joint["values"]])
    axes.append([{"seed": seed} for seed in table.get("seeds", [0])])
    excluded = table.get("exclude", [])
    names = [key for axis in axes for key in (axis[0] if axis else {})]
    if len(names) != len(set(names)):
        raise UsageError(f"the grid {name} varies a hyperparameter on two axes.")
    if strange := [key for key in names if not key.isidentifier()]:
        raise UsageError(f"the grid {name} has the hyperparameter {shown(strange[0])}, which is no name.", HINT)
    if (count := math.prod(map(len, axes))) > MOST:
        raise UsageError(f"the grid {name} has {count:.3g} configurations, and at most {MOST:,} are read.")
    found = []
    for parts in itertools.product(*axes):
        hparams: Hparams = {**DEFAULTS, **{key: value for part in parts for key, value in part.items()}}
        if not any(_matches(hparams, rule) for rule in excluded):
            require(_HPARAMS, hparams, f"the grid {name}", HINT, UsageError)
            found.append(hparams)
    if not found:
        raise UsageError(f"the grid {name} holds no configuration.", "Check its values and exclusions.")
    return found
