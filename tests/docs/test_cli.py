"""docs/cli.md is what docs/make_cli.py makes of the commands, and holds all of them."""

import importlib.util
import inspect
import re

import pytest
from typer.testing import CliRunner

from icc_cli import cli
from icc_cli.cli import _guard, app
from icc_cli.errors import CheckpointError, FormatError, UsageError
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")


def test_it_is_current():
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert PAGE.partition(make.MARKER)[2].strip() == make.commands().strip(), "run `python docs/make_cli.py`"


COMMANDS = ("train", "extract", "measure", "sharpness", "rank", "inspect", "report", "submit")
PLOTS = ("psi", "axes", "scatter", "k", "sites", "training", "neurons")


@pytest.mark.parametrize("command", [*COMMANDS, *(f"plot {name}" for name in PLOTS)])
def test_every_option_that_help_shows_is_there(command):
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "250", "TERM": "dumb"}).stdout
    options = set(re.findall(r"^\W*(--[a-z-]+)", shown, re.MULTILINE)) - {"--help"}
    section = re.split(r"^## ", PAGE.partition(f"\n## icc {command}\n")[2], flags=re.MULTILINE)[0]
    assert "--quiet" in options or command == "inspect"
    assert {one for one in options if not re.search(rf"`{one}[ `]", section)} == set()


def test_help_says_of_each_command_what_its_own_help_begins_with():
    for name, about in cli.COMMANDS.items():
        own = cli.command(name)
        (text,) = [own.info.help] if name == "plot" else [inspect.getdoc(own.registered_commands[0].callback)]
        assert " ".join(text.split("\n\n")[0].split()) == about


def test_every_command_is_there():
    shown = CliRunner().invoke(app, ["--help"]).stdout + CliRunner().invoke(app, ["plot", "--help"]).stdout
    named = set(re.findall(r"^[^\w-]*([a-z]+) {2,}", shown, re.MULTILINE)) - {"plot"}
    assert (
        named == {*COMMANDS, *PLOTS} == {name.split()[-1] for name in re.findall(r"^## icc (.+)$", PAGE, re.MULTILINE)}
    )


def test_every_exit_code_is_there():
    codes = {0, *(error.exit_code for error in (UsageError, CheckpointError, FormatError))}
    codes |= {value for name, value in vars(_guard).items() if name.startswith("EXIT_")}
    table = PAGE.partition("## Exit codes")[2].partition("An error is")[0]
    assert {
        int(code) for code in re.findall(r"\b\d+\b", re.sub(r"\|[^|]*\|$", "", table, flags=re.MULTILINE)) if code
    } >= codes
