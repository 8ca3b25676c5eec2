"""`--model SPEC`: a built-in network, torchvision's, timm's, or anyone's factory."""

import ast
import contextlib
import copy
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from icc_cli.errors import UsageError
from icc_cli.loading import Inside, belongs, named, reason
from icc_cli.models.vgg import vgg
from icc_cli.models.weighed import Weighed
from icc_cli.models.wide_resnet import wrn
from icc_cli.nearest import did_you_mean, nearest
from icc_cli.shapes import JsonObject, counted, fields, finite, require

BUILT_IN: dict[str, Callable[..., nn.Module]] = {"vgg": vgg, "wrn": wrn}
LIBRARIES = ("torchvision", "timm")
_OF_OURS = fields(
    {},
    {
        **dict.fromkeys(("num_classes", "in_channels", "input_size", "base_width"), counted),
        **dict.fromkeys(("width", "depth", "dropout"), finite),
    },
)
"""Arguments of the built-in networks."""
REFUSED_ARGUMENTS = ("weights", "weights_backbone", "pretrained", "pretrained_cfg", "checkpoint_path")
"""What makes torchvision's and timm's factories read or download weights."""


@dataclass(frozen=True)
class ModelSpec:
    """A network's factory (`spec`, without arguments) and the arguments to call it with."""

    spec: str
    args: JsonObject = field(default_factory=dict)

    @property
    def runs_user_code(self) -> bool:
        """Whether building it calls a factory outside icc, torchvision and timm.

        Such a name is followed when the user gives it, never because a checkpoint holds it.
        """
        return self.spec not in BUILT_IN and self.spec.partition(":")[0] not in LIBRARIES


def parse(text: str, arguments: Sequence[str] = ()) -> ModelSpec:
    """A ModelSpec from `wrn:depth=1.5,num_classes=20`, `torchvision:resnet18`, `file.py:factory` and the like.

    `arguments` are `key=value` texts that are added. UsageError for one that is not.
    """
    name, _, rest = text.partition(":")
    if name in BUILT_IN:
        return ModelSpec(name, _arguments([*filter(None, rest.split(",")), *arguments]))
    return ModelSpec(text, _arguments(arguments))


def build(spec: ModelSpec, held: int | None = None) -> nn.Module:
    """The network, untrained. UsageError when it is not known, does not take its arguments, or, with those of icc and
    of libraries, is larger than the memory, or than `held` weights that are to be loaded could be of."""
    factory = _factory(spec.spec)
    if spec.spec in BUILT_IN:
        require(_OF_OURS, spec.args, f"the model {spec.spec}", f"It takes {_parameters(factory)}.", UsageError)
    if not spec.runs_user_code:
        for name in REFUSED_ARGUMENTS:
            if spec.args.get(name):
                raise UsageError(
                    f"the argument {name} of {spec.spec} would read or download weights.",
                    "Leave it out; icc takes weights from checkpoints.",
                )
    weighed = Weighed(f"the model {spec.spec} with {shown_arguments(spec.args)}", held)
    try:
        with contextlib.nullcontext() if spec.runs_user_code else weighed:
            model = factory(**spec.args)
    except UsageError:
        raise
    except Exception as error:
        # Whatever a foreign factory raises, the user has to hear which factory and why.
        raise UsageError(
            f"the model {spec.spec} cannot be made with {shown_arguments(spec.args)}: {reason(error)}.",
            f"It takes {_parameters(factory)}.",
        ) from error
    if isinstance(model, tuple | list):  # (network, optimizer), and the like
        model = next((item for item in model if isinstance(item, nn.Module)), model)
    # torch._dynamo takes a second to import, and whoever compiles a model has imported it.
    if "torch._dynamo" in sys.modules and isinstance(model, torch._dynamo.OptimizedModule):
        model = model._orig_mod  # a compiled forward pass hides its activation calls
    if isinstance(model, torch.jit.ScriptModule):
        raise UsageError(
            f"the factory {spec.spec} gave a TorchScript module, whose activation calls cannot be seen.",
            "Return the Python module.",
        )
    if not isinstance(model, nn.Module):
        raise UsageError(f"the factory {spec.spec} gave a {type(model).__name__}, expected a torch.nn.Module.")
    if isinstance(factory, Inside):
        belongs(model, factory.world)
    return model


def bytes_of(spec: ModelSpec) -> int:
    """Bytes of the network's weights, which are not made; 0 for code that is the user's. UsageError as `build`."""
    if spec.runs_user_code:
        return 0
    with torch.device("meta"):
        network = build(spec)
    return sum(tensor.nbytes for tensor in network.state_dict().values())


def _factory(spec: str) -> Callable[..., Any]:
    if spec in BUILT_IN:
        return BUILT_IN[spec]
    source, colon, name = spec.rpartition(":")
    if not colon or not source or not name:
        if spec.endswith(".py"):
            hint = f"Write --model {spec}:NAME, NAME a function or a class of it."
            raise UsageError(f"{spec!r} names no factory.", hint)
        raise UsageError(
            f"unknown model {spec!r}.",
            f"{did_you_mean(_like(spec))}Expected vgg, wrn, torchvision:NAME, timm:NAME, pkg.module:factory or "
            "path/to/file.py:factory.",
        )
    if source == "torchvision":
        return _torchvision(name)
    if source == "timm":
        return _timm(name)
    found = named(spec, "model")
    if isinstance(found.value, nn.Module):
        return Inside(found.world, partial(_copy_of, found.value))
    if not callable(found.value):
        raise UsageError(f"{source} has no function or class {name!r}: it is of type {type(found.value).__name__}.")
    return Inside(found.world, found.value)


def _like(name: str) -> list[str]:
    """What a bare name may have meant."""
    import torchvision.models

    if name in torchvision.models.list_models():
        return [f"torchvision:{name}", f"timm:{name}"]
    return nearest(name, BUILT_IN)


def _copy_of(network: nn.Module) -> nn.Module:
    """A network that the user's file has made, for weights of its own."""
    return copy.deepcopy(network)


def _torchvision(name: str) -> Callable[..., Any]:
    import torchvision.models

    if name not in torchvision.models.list_models():
        close = did_you_mean(nearest(name, torchvision.models.list_models()))
        raise UsageError(f"torchvision has no model {name!r}.", f"{close}See torchvision.models.list_models().")

    def factory(**arguments: Any) -> Any:
        return torchvision.models.get_model(name, **{"weights": None, **arguments})

    return factory


def _timm(name: str) -> Callable[..., Any]:
    try:
        import timm
    except ImportError as error:
        raise UsageError("timm is not installed.", "Install icc-cli[timm].") from error
    if not timm.is_model(name):
        close = did_you_mean(nearest(name, timm.list_models()))
        raise UsageError(f"timm has no model {name!r}.", f"{close}See timm.list_models().")

    def factory(**arguments: Any) -> Any:
        return timm.create_model(name, **{"pretrained": False, **arguments})

    return factory


def _arguments(texts: Sequence[str]) -> JsonObject:
    arguments = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"a model argument must be key=value, got {text!r}.")
        arguments[key] = _value(value)
    return arguments


def _value(text: str) -> Any:
    constants = {"true": True, "false": False, "none": None}
    if text.lower() in constants:
        return constants[text.lower()]
    for read in (int, float, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text


def _parameters(factory: Callable[..., Any]) -> str:
    try:
        names = [str(parameter) for parameter in inspect.signature(factory).parameters.values()]
    except (TypeError, ValueError):
        names = []
    return ", ".join(names) or "no arguments that are known"


def shown_arguments(arguments: JsonObject) -> str:
    """Arguments as messages say them: long ones are cut."""
    return ", ".join(f"{key}={value!r:.60}" for key, value in arguments.items())[:300] or "no arguments"
