"""The command line: one file per subcommand, each of which parses, calls the library, and writes.

The module of a command is imported when the command is run, and numpy, torch and h5py by what it calls.
"""

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from icc_cli import __version__, signals
from icc_cli.cli import _guard, _streams

COMMANDS = {
    "train": (
        "Train the networks of a preset (smoke, cifar10-vgg, cifar100-wrn, cifar100-coarse-wrn) or of a TOML grid."
    ),
    "extract": (
        "Run each checkpoint over its training images and write every activation function's input to an HDF5 cache."
    ),
    "measure": (
        "Compute measures of each cache: the intraclass clustering measures c1 to c4, or others (CPU, no torch)."
    ),
    "sharpness": (
        "Compute how sharp a minimum each checkpoint sits in: 1/m, m the largest perturbation of the weights, "
        "relative to their size, that keeps the training accuracy at its target."
    ),
    "rank": "Rank models by each measure, and compare with the order of a target: the granulated Kendall table.",
    "inspect": "Say what FILE holds: a checkpoint's weights and how they fit the model, a cache's sites, or records.",
    "report": (
        "Write one HTML page: the models, the measures, the figures that the records allow, what was run and left out."
    ),
    "submit": "Run COMMAND over its inputs as a Slurm job array: icc submit [OPTIONS] -- COMMAND ...",
    "plot": "The paper's figures, from existing records and caches.",
}
"""What `icc --help` says of each: the first paragraph of the command's own help."""


def command(name: str) -> typer.Typer:
    """One of COMMANDS: the `app` of its module, or the function there that has its name."""
    module = import_module(f"{__name__}.{name}")
    app: typer.Typer | None = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        app.command()(_guard.guarded(getattr(module, name)))
    return app


class _Commands(TyperGroup):
    """COMMANDS by name and help, each imported when it is run."""

    def __init__(self, **settings: Any) -> None:
        named = {name: TyperCommand(name, help=about) for name, about in COMMANDS.items()}
        super().__init__(**{**settings, "commands": named})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and typer.main.get_command(command(name)), rest


app = typer.Typer(
    name="icc",
    cls=_Commands,
    help="Which of these networks generalize best, and why? Intraclass clustering measures of saved checkpoints.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"icc {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    # Outputs never change once they have their name, so locks protect nothing; on NFS and Lustre they fail.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    _streams.prepare()
    signals.unwind()
    try:
        with _guard.sentences():  # for what happens outside of a command: while its options are read, in --help
            app()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    finally:
        signals.leave_at_once()
