"""Files that users name are run as Python would run them, and leave no trace in the process that runs them."""

import sys
from pathlib import Path

import pytest

from icc_cli.errors import UsageError
from icc_cli.loading import named


def write(folder: Path, **files: str) -> Path:
    """Write `name="text"` as name.py, with two underscores for a slash."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/", 1) + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def value(path: Path, name: str = "value"):
    return named(f"{path}:{name}", "model").value


def test_siblings_of_two_folders_are_kept_apart(tmp_path):
    for name in ("a", "b"):
        write(
            tmp_path / name,
            nets=f"NAME = {name!r}",
            model="from nets import NAME\ndef late():\n    import more\n    return more.NAME",
            more=f"NAME = 'more {name}'",
        )
    late = {}
    for name in ("a", "b", "a"):
        found = named(f"{tmp_path}/{name}/model.py:NAME", "model")
        assert found.value == name
        late[name] = named(f"{tmp_path}/{name}/model.py:late", "model")
    assert late["a"].call() == "more a" and late["b"].call() == "more b" and late["a"].call() == "more a"


@pytest.mark.parametrize("init", [True, False])
def test_relative_imports(init, tmp_path):
    write(
        tmp_path,
        pkg__nets="from ..common import value",
        common="value = 'the top'",
        pkg__model="from .nets import value",
    )
    if init:
        (tmp_path / "pkg" / "__init__.py").write_text("from .model import value as again")
    if not init:
        write(tmp_path, pkg__nets="value = 'beside'")
    elif not (tmp_path / "__init__.py").exists():
        (tmp_path / "__init__.py").write_text("")
    assert value(tmp_path / "pkg" / "model.py") == ("the top" if init else "beside")


def test_relative_imports_two_folders_up_without_init(tmp_path):
    write(tmp_path, pkg__model="from ..common import value", common="value = 3")
    assert value(tmp_path / "pkg" / "model.py") == 3


def test_a_package_may_be_called_as_an_installed_one(tmp_path):
    write(
        tmp_path,
        numpy__layers="value = 'mine'",
        numpy__model="from .layers import value\nimport numpy\nkind = numpy.int64",
    )
    (tmp_path / "numpy" / "__init__.py").write_text("")
    assert value(tmp_path / "numpy" / "model.py") == "mine"
    import numpy

    assert value(tmp_path / "numpy" / "model.py", "kind") is numpy.int64


def test_dataclasses_with_future_annotations(tmp_path):
    source = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Config:
    width: int = 8
    other: Config | None = None

value = Config(3).width
"""
    write(tmp_path, config=source)
    assert value(tmp_path / "config.py") == 3
    import inspect

    assert "width: int = 8" in inspect.getsource(value(tmp_path / "config.py", "Config"))


def test_what_a_file_does_to_the_process_is_put_back(tmp_path, capsys):
    source = """
import argparse, sys
value = argparse.ArgumentParser().parse_args(), list(sys.argv), __name__
print("hello")
sys.path.insert(0, "/nowhere")
sys.argv.append("more")
def make():
    print("made")
    return argparse.ArgumentParser().parse_args(), sys.argv
if __name__ == "__main__":
    raise RuntimeError
"""
    write(tmp_path, script=source)
    before = list(sys.path), list(sys.argv), sys.dont_write_bytecode, sys.stdout
    found = named(f"{tmp_path}/script.py:value", "model")
    arguments, argv, name = found.value
    assert not vars(arguments) and argv == [str(tmp_path / "script.py")] and name != "__main__"
    made, argv = named(f"{tmp_path}/script.py:make", "model").call()
    assert not vars(made) and len(argv) == 1
    assert (list(sys.path), list(sys.argv), sys.dont_write_bytecode, sys.stdout) == before
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == "hello\nmade\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py"]


def test_a_file_is_run_once_until_it_or_a_sibling_changes(tmp_path):
    write(tmp_path, model="from nets import value\nvalues = [value]", nets="value = 1")
    first = named(f"{tmp_path}/model.py:values", "model")
    first.value.append("kept")
    again = named(f"{tmp_path}/model.py:values", "model")
    assert again.value == [1, "kept"] and again.digest == first.digest
    write(tmp_path, nets="value = 1  # changed")
    changed = named(f"{tmp_path}/model.py:values", "model")
    assert changed.value == [1] and changed.digest != first.digest
    (tmp_path / "elsewhere").mkdir()
    copied = write(tmp_path / "elsewhere", model="from nets import value\nvalues = [value]", nets="value = 1")
    assert named(f"{copied}/model.py:values", "model").digest == first.digest
    write(tmp_path, unrelated="x = 1")
    assert named(f"{tmp_path}/model.py:values", "model").digest == changed.digest


def test_importable_modules_and_nested_names(tmp_path, monkeypatch):
    write(tmp_path, pkg_of_mine__mod="class Outer:\n    class Inner:\n        value = 4")
    monkeypatch.chdir(tmp_path)
    assert named("pkg_of_mine.mod:Outer.Inner.value", "model").value == 4
    assert named("math:pi", "measure").value > 3


def test_entry_points(tmp_path, monkeypatch):
    write(tmp_path, plugin_of_mine="FIRING = 'firing'")
    info = tmp_path / "plugin_of_mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[icc.measures]\nfiring = plugin_of_mine:FIRING\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert named("firing", "measure", "icc.measures").value == "firing"
    with pytest.raises(UsageError, match=r"unknown measure 'fring'") as caught:
        named("fring", "measure", "icc.measures")
    assert "firing" in caught.value.details


PARSER = "import argparse\nparser = argparse.ArgumentParser()\n"
TRAINS = {
    "loop": "for epoch in range(3):\n    loss.backward()",
    "nested": "for epoch in range(3):\n    for phase in 'ab':\n        if phase == 'a':\n            loss.backward()",
    "function": "def step():\n    loss.backward()\ndef main():\n    while True:\n        step()\nmain()",
    "method": "class Trainer:\n    def run(self):\n        self.scaler.scale(loss).backward()\nTrainer().run()",
    "with": "with torch.enable_grad():\n    loss.backward()",
    "lightning": "import lightning as L\nL.Trainer(max_epochs=3).fit(model)",
    "transformers": "trainer = Trainer(model)\ntrainer.train()",
    "imported": "from engine import train_one_epoch\nfor e in range(3): train_one_epoch(model)",
}  # fmt: skip
HARMLESS = {
    "guarded": "def main():\n    loss.backward()\nif __name__ == '__main__':\n    main()",
    "setting": PARSER + "def main():\n    loss.backward()\nif parser.parse_args() is None:\n    main()",
    "defined": "class Net:\n    def fit(self):\n        loss.backward()\nNet()",
    "mode": "class Net:\n    def train(self):\n        return self\nnet = Net().train()",
    "scaler": "class StandardScaler:\n    def fit(self, x):\n        return self\nStandardScaler().fit(3)",
    "lambda": "step = lambda loss: loss.backward()",
    "loop": "squares = []\nfor i in range(3):\n    squares.append(i)",
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINS)
def test_a_script_that_trains_is_not_run(name, tmp_path):
    marker = tmp_path / "has run"
    write(tmp_path, train=f"open({str(marker)!r}, 'w')\n{TRAINS[name]}\nvalue = 1")
    with pytest.raises(UsageError, match=r"trains a network when it is imported \(line \d+\)"):
        value(tmp_path / "train.py")
    assert not marker.exists()


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not_train_is_run(name, tmp_path):
    write(tmp_path, net=f"{HARMLESS[name]}\nvalue = 1")
    assert value(tmp_path / "net.py") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("value = 1/0", r"cannot be run: division by zero \(line 1\)"),
        ("import no_such_thing_at_all", "No module named 'no_such_thing_at_all'"),
        ("def f(:", r"not valid Python: .*\(line 1\)"),
        ("import sys\nsys.exit('no')", r"ends Python on import \(exit no\)"),
        (PARSER + "parser.add_argument('data')\nparser.parse_args()", r"ends Python on import \(exit 2\)"),
        ("def other(): pass", r"has no 'value' for the model. It defines other"),
        ("from ....... import x\nvalue = 1", "cannot be"),
        ("\x00", "not valid Python"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(text, words, tmp_path):
    write(tmp_path, bad=text)
    with pytest.raises(UsageError, match=words) as caught:
        value(tmp_path / "bad.py")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none.py:f", "there is no Python file none.py"),
        ("no.such:factory", "cannot import 'no.such' for the model: No module named 'no'"),
        ("model", "names no model"),
        (":f", "names no model"),
        ("math:", "names no model"),
    ],
)
def test_wrong_names(text, words):
    with pytest.raises(UsageError, match=words):
        named(text, "model")


def test_a_file_without_a_name_in_it(tmp_path):
    write(tmp_path, nets="class Net: pass\ndef make(): pass\nraise RuntimeError")
    with pytest.raises(UsageError, match=r"the name in it is missing. It defines .*nets.py:Net, .*nets.py:make"):
        named(f"{tmp_path}/nets.py", "model")
