"""What a command runs: a checkpoint, its model and its data, from options and from the file itself."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from icc_cli.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from icc_cli.checkpoints import Checkpoint
    from icc_cli.data import Dataset, DataSource
    from icc_cli.models.spec import ModelSpec
    from icc_cli.naming import ModelMap

LARGEST = 2.0
"""Of a mean or a standard deviation of pixels in 0..1; those of 0..255 lie above."""
OF_DATA = frozenset({"num_classes", "in_channels", "in_chans", "input_size", "img_size"})
"""Arguments that the data decide, and that are no hyperparameters."""


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel (or one for all), on pixels scaled to 0..1; empty where there is none."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Subject:
    """A checkpoint, the model that it is of, the data that it is run on, and their normalisation."""

    checkpoint: "Checkpoint"
    model: "ModelSpec"
    data: "Dataset"
    normalisation: Normalisation
    networks: "NetworkShelf"

    def network(self) -> "tuple[Subject, nn.Module]":
        """The checkpoint's network with its weights, and the subject with the arguments that their shapes settle."""
        from icc_cli.checkpoints import load_into
        from icc_cli.models.spec import shown_arguments

        with blamed_on(self.checkpoint):
            spec, module = self.networks.build(self.model, self.checkpoint.state)
        given = f" with {shown_arguments(self.model.args)}" if self.model.args else ""
        load_into(module, self.checkpoint, f"{spec.spec}{given}")
        return replace(self, model=spec), module


@contextlib.contextmanager
def blamed_on(checkpoint: "Checkpoint") -> Iterator[None]:
    """UsageErrors of the block name the checkpoint, which may be what says the model's arguments."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{checkpoint.path}: {error.message}", error.hint, error.details) from error


@dataclass(frozen=True)
class ModelRequest:
    """The options that name a checkpoint's weights and model; `map` does for each checkpoint of a folder."""

    spec: str | None = None
    arguments: tuple[str, ...] = ()
    state_key: str | None = None
    unsafe_pickle: bool = False
    map: "ModelMap | None" = None

    def checkpoint(self, path: Path) -> "Checkpoint":
        """The checkpoint at `path`. CheckpointError as `read`."""
        from icc_cli.checkpoints import read

        return read(path, self.state_key, self.unsafe_pickle)

    def given(self, name: str) -> "ModelSpec | None":
        """The model that the options name for the checkpoint `name`, if they name any."""
        from icc_cli.models.spec import parse
        from icc_cli.naming import filled

        if self.map is not None:
            line = self.map.line(name)
            return parse(line.model, line.arguments)
        if self.spec is None:
            return None
        return parse(filled(self.spec, name), [filled(argument, name) for argument in self.arguments])

    def model(self, checkpoint: "Checkpoint") -> "ModelSpec":
        """The model asked for, or else the one that the checkpoint names.

        UsageError when neither does, or when the checkpoint names code that is not icc's, torchvision's or timm's.
        """
        from icc_cli.models.spec import ModelSpec

        given = self.given(checkpoint.name)
        if given is not None:
            return given
        if checkpoint.model is None:
            raise UsageError(
                f"{checkpoint.path} does not say which model it is of.",
                "Name it with --model, for example --model torchvision:resnet18, or those of a folder with --models.",
            )
        spec = ModelSpec(checkpoint.model["spec"], dict(checkpoint.model["args"]))
        if spec.runs_user_code:
            # A file must not choose which code is run.
            raise UsageError(
                f"{checkpoint.path} is of the model {spec.spec!r}, which is code outside icc.",
                f"If you trust it, say so: --model {spec.spec}, with its arguments as --model-arg.",
            )
        return spec


@dataclass(frozen=True)
class DataRequest:
    """The data options of one command."""

    spec: str | None
    root: Path
    download: bool
    hierarchy: str | None
    per_class: int | None
    image_size: int | None
    mean: str | None
    std: str | None
    test_per_class: int | None = None
    level: str | None = None

    def source(self, checkpoint: "Checkpoint") -> "DataSource":
        """The data asked for; what was not asked for is taken from the checkpoint. UsageError when neither says."""
        from icc_cli.data import DataSource
        from icc_cli.data.hierarchy import read_hierarchy
        from icc_cli.data.source import is_code

        known = checkpoint.data or {}
        spec = self.spec or known.get("spec")
        if not spec:
            raise UsageError(f"{checkpoint.path} does not say which data it was trained on.", "Name them with --data.")
        if self.spec is None and is_code(spec):
            # A file must not choose which code is run.
            raise UsageError(
                f"{checkpoint.path} was trained on the data of {spec!r}, which is code.",
                f"If you trust it, say so: --data {spec}.",
            )
        if self.level and not self.hierarchy:
            raise UsageError("--level chooses within a hierarchy.", "Name it with --hierarchy.")
        hierarchy = read_hierarchy(self.hierarchy, self.level) if self.hierarchy else known.get("hierarchy")
        per_class = self.per_class or known.get("per_class")
        image_size = self.image_size or known.get("image_size")
        test_per_class = self.test_per_class or known.get("test_per_class")
        return DataSource(spec, self.root, self.download, hierarchy, per_class, image_size, test_per_class)

    def normalisation(self, checkpoint: "Checkpoint", dataset: "Dataset") -> Normalisation:
        """As given, else the checkpoint's, else the data set's own; none for inputs that are taken as they are."""
        if dataset.train.inputs is not None:
            if self.mean or self.std:
                raise UsageError(
                    f"{dataset.spec} holds inputs that are taken as they are, and --mean and --std are of images.",
                    "Normalise the inputs when they are made.",
                )
            return Normalisation((), ())
        known = checkpoint.data or {}
        channels = dataset.image_shape[2]
        mean = _numbers("--mean", self.mean) or tuple(known.get("mean") or ()) or dataset.mean
        std = _numbers("--std", self.std) or tuple(known.get("std") or ()) or dataset.std
        if mean is None or std is None:
            raise UsageError(
                f"{dataset.spec} has no usual normalisation.",
                "Give --mean and --std as in training; ImageNet's are 0.485,0.456,0.406 and 0.229,0.224,0.225.",
            )
        for name, values in (("--mean", mean), ("--std", std)):
            if max(values) > LARGEST:
                shown = ",".join(f"{value / 255:.3g}" for value in values)
                raise UsageError(
                    f"{name} has {max(values):g}, and is of pixels scaled to 0..1.",
                    f"Of pixels from 0 to 255 it is divided by 255: {name} {shown}.",
                )
            if len(values) not in (1, channels):
                raise UsageError(
                    f"{name} has {len(values)} values, and the images have {channels} channel{'s' * (channels > 1)}."
                )
        if min(std) <= 0:
            raise UsageError(f"--std must be positive, got {min(std)}.")
        return Normalisation(mean, std)


class DataShelf:
    """Keeps the data set loaded last, so that many checkpoints of one data set load it once."""

    def __init__(self) -> None:
        self._last: tuple[DataSource, Dataset] | None = None

    def load(self, source: "DataSource") -> "Dataset":
        """The data set of `source`, loaded unless it is the one loaded last."""
        from icc_cli.data import load

        if self._last is None or self._last[0] != source:
            self._last = (source, load(source))
        return self._last[1]


class NetworkShelf:
    """Keeps the network built last, so that many checkpoints of one network build it once.

    Whoever runs it leaves it as it was, and all of its weights are loaded for each checkpoint. A network of the user's
    own code is built for each: nobody knows what it keeps from one to the next.
    """

    def __init__(self) -> None:
        self._last: tuple[ModelSpec, dict[str, torch.Size], tuple[ModelSpec, nn.Module]] | None = None

    def build(self, spec: "ModelSpec", state: "dict[str, Tensor]") -> "tuple[ModelSpec, nn.Module]":
        """As `build_for`; a network that was built before has the weights of the checkpoint before."""
        from icc_cli.checkpoints.names import COUNTERS
        from icc_cli.models.infer import build_for

        shapes = {name: tensor.shape for name, tensor in state.items() if not name.endswith(COUNTERS)}
        if self._last is not None and self._last[:2] == (spec, shapes):
            return self._last[2]
        self._last = None  # before another takes memory
        built = build_for(spec, state)
        if not spec.runs_user_code:
            self._last = spec, shapes, built
        return built


@dataclass(frozen=True)
class Request:
    """All the options that say what a checkpoint is run as and on, and what is kept from one checkpoint to the next."""

    model: ModelRequest
    data: DataRequest
    shelf: DataShelf
    networks: NetworkShelf

    def subject(self, path: Path, name: str = "") -> Subject:
        """The checkpoint at `path`, called `name` in records, with its model and its data, which is loaded.

        Arguments of the model that the user gives are hyperparameters, where the checkpoint does not say others.
        """
        checkpoint = replace(self.model.checkpoint(path), name=name or path.name)
        spec = self.model.model(checkpoint)
        given = self.model.given(checkpoint.name)
        if given is not None:
            own = {key: value for key, value in given.args.items() if key not in OF_DATA}
            checkpoint = replace(checkpoint, hparams={**own, **checkpoint.hparams})
        dataset = self.shelf.load(self.data.source(checkpoint))
        return Subject(checkpoint, spec, dataset, self.data.normalisation(checkpoint, dataset), self.networks)


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{option} must be numbers separated by commas, got {text!r}.") from error
