"""The command line: one file per subcommand, each of which parses, calls the library, and writes.

Nothing here imports numpy, torch or h5py before a command runs, so `icc --help` answers at once.
"""

import os

import typer

from icc_cli import __version__
from icc_cli.cli import _run, extract, inspect, measure, plot, rank, report, sharpness, submit, train

app = typer.Typer(
    name="icc",
    help="Which of these networks generalize best, and why? Intraclass clustering measures of saved checkpoints.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train.train, extract.extract, measure.measure, sharpness.sharpness, rank.rank, inspect.inspect):
    app.command()(_run.guarded(command))
for figure in plot.COMMANDS:
    plot.app.command()(_run.guarded(figure))
app.add_typer(plot.app, name="plot")
app.command()(_run.guarded(report.report))
app.command(cls=submit.SubmitCommand, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(
    _run.guarded(submit.submit)
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
    """Entry point of the `icc` command."""
    # Outputs never change once they have their name, so locks protect nothing; on NFS and Lustre they fail.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    _run.exit_on_sigterm()
    app()
