"""The options of every command that runs networks: which model, on which data, and which calls are sites."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icc_cli.cli import _options as options
from icc_cli.cli._inputs import Input, expand, with_models
from icc_cli.cli._report import Reporter
from icc_cli.folders import CHECKPOINT_SUFFIXES

if TYPE_CHECKING:
    from icc_cli.extraction.how import Extraction
    from icc_cli.subject import Request

PARAMETER = "networks"
MODEL: Mapping[str, tuple[Any, object]] = {
    "model": (options.ModelSpec, None),
    "model_arg": (options.ModelArg, None),
    "models": (options.Models, None),
    "state_key": (options.StateKey, None),
    "unsafe_pickle": (options.UnsafePickle, False),
}
DATA: Mapping[str, tuple[Any, object]] = {
    "data": (options.DataSpec, None),
    "root": (options.Root, Path("data")),
    "download": (options.Download, False),
    "hierarchy": (options.Hierarchy, None),
    "level": (options.Level, None),
    "per_class": (options.PerClass, None),
    "test_per_class": (options.TestPerClass, None),
    "image_size": (options.ImageSize, None),
    "mean": (options.Mean, None),
    "std": (options.Std, None),
}
SITES: Mapping[str, tuple[Any, object]] = {
    "activations": (options.Activations, "relu"),
    "sites": (options.Sites, None),
    "exclude_sites": (options.ExcludeSites, None),
    "neuron_axis": (options.NeuronAxis, None),
}


RUN: Mapping[str, tuple[Any, object]] = {
    "batch_size": (options.BatchSize, None),
    "precision": (options.Precision, options.FloatType.float32),
    "device": (options.Device, "auto"),
}
OPTIONS = {**MODEL, **DATA, **SITES, **RUN}


@dataclass(frozen=True)
class Networks:
    """What the options say of the networks of a run; `said` holds their values by name.

    Torch is not imported before `how` is asked for.
    """

    said: Mapping[str, Any]

    @property
    def _all(self) -> dict[str, Any]:
        """Those that the command does not have too, as they are by themselves."""
        return {name: self.said.get(name, default) for name, (_, default) in OPTIONS.items()}

    @property
    def given(self) -> list[str]:
        """The options that the user gave."""
        changed = (name for name, value in self.said.items() if value != OPTIONS[name][1])
        return [f"--{name.replace('_', '-')}" for name in changed]

    @cached_property
    def request(self) -> "Request":
        """Model and data. UsageError for options that do not go together."""
        from icc_cli.subject import DataRequest, DataShelf, NetworkShelf, Request

        said = self._all
        model = options.model_request(*(said[name] for name in MODEL))
        data = DataRequest(said["data"], **{name: said[name] for name in DATA if name != "data"})
        return Request(model, data, DataShelf(), NetworkShelf())

    @cached_property
    def how(self) -> "Extraction":
        """How activations are taken. UsageError for options of sites that make no sense."""
        from icc_cli.extraction.how import Extraction

        said = self._all
        sites = options.wanted_sites(*(said[name] for name in SITES))
        return Extraction(said["device"], said["batch_size"], precision=said["precision"].value, sites=sites)

    def inputs(
        self, arguments: list[str], report: Reporter, suffixes: tuple[str, ...] = CHECKPOINT_SUFFIXES
    ) -> Iterable[Input]:
        """The checkpoints that `arguments` name, each known to have its model where a table names them."""
        return with_models(expand(arguments, suffixes, report.note), self.request.model)


def takes_networks(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, but for those `left_out`, in the place of its parameter `networks`."""
    taken = {name: option for name, option in OPTIONS.items() if name not in left_out}

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(networks=Networks({name: given.pop(name) for name in taken}), **given)

        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name != PARAMETER:
                parameters.append(parameter)
                continue
            parameters += [
                inspect.Parameter(name, parameter.kind, default=default, annotation=annotation)
                for name, (annotation, default) in taken.items()
            ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorated
