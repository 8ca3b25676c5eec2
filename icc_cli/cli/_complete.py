"""What the shell offers for an option's value. Nothing heavy is imported: completion answers while one types."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from icc_cli import catalog

DATA = ("digits", "cifar10", "cifar100", "cifar100-coarse", "fashion-mnist", "folder:", "npz:", "h5:")
READ_FROM = ("folder", "npz", "h5")
MODELS = ("vgg", "wrn", "torchvision:", "timm:")
DEVICES = ("auto", "cpu", "cuda", "mps")
SCORES = ("kendall", "cmi", "pgdl", "sign-error")
PRESETS = Path(__file__).parent.parent / "training" / "presets"
GPUS = Path("/dev")


def presets(incomplete: str) -> list[str]:
    """The presets, and TOML files."""
    names = sorted(path.stem for path in PRESETS.glob("*.toml"))
    return _beginning(incomplete, [*names, *_paths(incomplete, (".toml",))])


def data(incomplete: str) -> list[str]:
    """Data sets by name, paths after `folder:` and the like, and the functions of a Python file."""
    kind, colon, path = incomplete.partition(":")
    if colon and kind in READ_FROM:
        suffixes = () if kind == "folder" else (f".{kind}",)
        return [f"{kind}:{one}" for one in _paths(path, suffixes)]
    return _beginning(incomplete, [*DATA, *_code(incomplete)])


def models(incomplete: str) -> list[str]:
    """The networks that are built in, the libraries, and the functions and classes of a Python file."""
    return _beginning(incomplete, [*MODELS, *_code(incomplete)])


def devices(incomplete: str) -> list[str]:
    """The devices that torch knows, and the number of each GPU of this machine."""
    gpus = sorted(path.name.removeprefix("nvidia") for path in GPUS.glob("nvidia[0-9]*"))
    return _beginning(incomplete, [*DEVICES, *(f"cuda:{number}" for number in gpus)])


def measures(incomplete: str) -> list[str]:
    """The measures and their groups; of a list, the last."""
    before, comma, last = incomplete.rpartition(",")
    names = [*catalog.GROUPS, "all", *(name for group in catalog.GROUPS.values() for name in group)]
    return [before + comma + name for name in _beginning(last, dict.fromkeys(names))]


def scores(incomplete: str) -> list[str]:
    """The scores, and the functions of a Python file."""
    return _beginning(incomplete, [*SCORES, *_code(incomplete)])


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Folders, with a slash, and files of these suffixes; no hidden ones."""
    folder, slash, start = incomplete.rpartition("/")
    try:
        found = sorted(Path(folder + slash or ".").iterdir())
    except OSError:
        return
    for path in found:
        if path.name.startswith(start) and not path.name.startswith("."):
            if path.is_dir():
                yield f"{folder}{slash}{path.name}/"
            elif path.suffix in suffixes:
                yield f"{folder}{slash}{path.name}"


def _code(incomplete: str) -> Iterator[str]:
    """Python files, and after a file's colon what it defines; it is read, never run."""
    path, colon, _ = incomplete.rpartition(":")
    if not colon:
        yield from _paths(incomplete, (".py",))
        return
    try:
        body = ast.parse(Path(path).read_text("utf-8")).body
    except (OSError, ValueError, SyntaxError):
        return
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{path}:{node.name}"
