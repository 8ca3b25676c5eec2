"""Options that several commands share, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _complete
from icc_cli.errors import UsageError

if TYPE_CHECKING:
    from icc_cli.extraction import how
    from icc_cli.subject import ModelRequest

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Force = Annotated[bool, typer.Option("--force", help="Redo what is up to date.")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Folder to write to, or one file (.h5, .json, .jsonl, .csv)."),
]


class Format(StrEnum):
    """How a table is printed; the default is `table` on a terminal and `json` (lines) in a pipe."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


TableFormat = Annotated[
    Format | None,
    typer.Option("--format", help="Default: table on a terminal, JSON lines in a pipe.", show_default=False),
]

DataSpec = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SPEC",
        autocompletion=_complete.data,
        help="digits, cifar10, cifar100, cifar100-coarse, fashion-mnist, folder:PATH, npz:PATH or h5:PATH.",
        rich_help_panel="Data",
    ),
]
Root = Annotated[Path, typer.Option("--root", help="Where torchvision's data sets are kept.", rich_help_panel="Data")]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch a torchvision data set that is missing.", rich_help_panel="Data")
]
Hierarchy = Annotated[
    str | None,
    typer.Option(
        "--hierarchy",
        metavar="FILE",
        help="Turns labels into subclasses: columns, parent-child pairs, paths, an indented tree or JSON; "
        "names:SEPARATOR for classes that stand in the labels' names.",
        rich_help_panel="Data",
    ),
]
Level = Annotated[
    str | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Level of the hierarchy: a column's name, a depth from the top (1) or from the labels (-1).",
        rich_help_panel="Data",
    ),
]
PerClass = Annotated[
    int | None,
    typer.Option(
        "--per-class",
        min=1,
        help="Use only the first N training images of each finest label.",
        rich_help_panel="Data",
    ),
]
TestPerClass = Annotated[
    int | None,
    typer.Option(
        "--test-per-class",
        min=1,
        help="Use only the first N test samples of each finest label.",
        rich_help_panel="Data",
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        min=1,
        metavar="SIDE",
        help="Resize the shorter side to this many pixels and crop the centre square.",
        rich_help_panel="Data",
    ),
]
Mean = Annotated[
    str | None,
    typer.Option("--mean", metavar="R,G,B", help="Normalisation, on pixels scaled to 0..1.", rich_help_panel="Data"),
]
Std = Annotated[
    str | None,
    typer.Option("--std", metavar="R,G,B", help="Normalisation, on pixels scaled to 0..1.", rich_help_panel="Data"),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="cpu, cuda, cuda:1, mps; auto takes a GPU when there is one.",
        autocompletion=_complete.devices,
    ),
]


class FloatType(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


Precision = Annotated[
    FloatType,
    typer.Option(
        "--precision", help="Precision of the forward pass; bfloat16 (mixed) is faster where the hardware supports it."
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        help="Samples per forward pass; results do not depend on it. Default: the fastest that fits in memory.",
        show_default=False,
    ),
]
Activations = Annotated[
    str,
    typer.Option(
        "--activations",
        metavar="NAME,...",
        help="Functions whose inputs are sites: relu, relu6, leaky_relu, gelu, silu, ... or all.",
        rich_help_panel="Sites",
    ),
]
Sites = Annotated[
    list[str] | None,
    typer.Option("--sites", metavar="GLOB", help="Only sites whose names match; repeatable.", rich_help_panel="Sites"),
]
ExcludeSites = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-sites", metavar="GLOB", help="No sites whose names match; repeatable.", rich_help_panel="Sites"
    ),
]
NeuronAxis = Annotated[
    list[str] | None,
    typer.Option(
        "--neuron-axis",
        metavar="GLOB=AXIS",
        help="The axis of the activation's input that holds the neurons of such sites, where the layers do not say; "
        "repeatable.",
        rich_help_panel="Sites",
    ),
]
ModelSpec = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="SPEC",
        autocompletion=_complete.models,
        help="vgg, wrn (wrn:depth=1.5,num_classes=20), torchvision:NAME, timm:NAME, pkg.module:factory or "
        "path/to/file.py:factory; {stem} stands for the checkpoint's name, {re:REGEX} for a part of it. "
        "Default: what the checkpoint says.",
        rich_help_panel="Model",
    ),
]
ModelArg = Annotated[
    list[str] | None,
    typer.Option(
        "--model-arg", metavar="KEY=VALUE", help="An argument of the model; repeatable.", rich_help_panel="Model"
    ),
]
Models = Annotated[
    Path | None,
    typer.Option(
        "--models",
        metavar="FILE.csv",
        help="A model for each checkpoint of a folder: the columns checkpoint (a glob) and model, and one for each "
        "argument.",
        rich_help_panel="Model",
    ),
]
StateKey = Annotated[
    str | None,
    typer.Option(
        "--state-key", metavar="KEY", help="The entry of the file that holds the weights.", rich_help_panel="Model"
    ),
]
UnsafePickle = Annotated[
    bool,
    typer.Option(
        "--unsafe-pickle",
        help="Let the file run code when it is read. Only for files you trust.",
        rich_help_panel="Model",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option("--shard", metavar="i/n", help="Do only part i of n of the inputs, balanced by size."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, help="Inputs to work on at once, one process each; they share the cores.", show_default=False
    ),
]


def model_request(
    model: str | None,
    arguments: list[str] | None,
    models: Path | None,
    state_key: str | None,
    unsafe_pickle: bool,
) -> "ModelRequest":
    """What the options of the panel Model say. UsageError for those that do not go together."""
    from icc_cli.subject import ModelRequest

    if models is not None and (model or arguments):
        raise UsageError("--models names every model, and --model or --model-arg too.", "Give its columns instead.")
    if arguments and model is None:
        raise UsageError("--model-arg is an argument of --model, which is not given.", "Name the model with --model.")
    if models is None:
        return ModelRequest(model, tuple(arguments or ()), state_key, unsafe_pickle)
    from icc_cli.naming import read_map

    return ModelRequest(None, (), state_key, unsafe_pickle, read_map(models))


def wanted_sites(
    activations: str, include: list[str] | None, exclude: list[str] | None, axes: list[str] | None
) -> "how.Sites":
    """What the options of the panel Sites say. UsageError when one does not make sense."""
    from icc_cli.extraction import how
    from icc_cli.extraction.functions import parse

    chosen = []
    for text in axes or ():
        glob, equals, axis = text.rpartition("=")
        if not equals or not glob or not axis.removeprefix("-").isdecimal():
            raise UsageError(f"--neuron-axis is GLOB=AXIS, such as 'encoder.*=2', got {text!r}.")
        chosen.append((glob, int(axis)))
    return how.Sites(parse(activations), tuple(include or ()), tuple(exclude or ()), tuple(chosen))
