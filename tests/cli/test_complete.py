"""What the shell offers for an option's value."""

import pytest
from typer.testing import CliRunner

from icc_cli import catalog
from icc_cli.cli import _complete, app
from icc_cli.data import source
from icc_cli.models import spec
from icc_cli.ranking import scores
from icc_cli.training import grid


def offered(*words):
    """What the shell is told that may stand for the last of the words."""
    asked = {"_ICC_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["icc", *words]), "COMP_CWORD": str(len(words))}
    done = CliRunner().invoke(app, [], prog_name="icc", env=asked)
    assert done.exit_code == 0, done.output
    return done.stdout.split()


def test_presets_data_models_and_devices_are_those_that_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert offered("train", "--preset", "") == sorted(grid.presets())
    assert offered("train", "--preset", "smo") == ["smoke"]
    named = [name for name in offered("extract", "x.pt", "--data", "") if not name.endswith(":")]
    assert named == [*source.READERS, *source.TORCHVISION]
    paths = [name for name in offered("extract", "x.pt", "--data", "") if name.endswith(":")]
    assert set(paths) == set(source.PATHS)
    assert offered("extract", "x.pt", "--model", "") == [*spec.BUILT_IN, *(f"{name}:" for name in spec.LIBRARIES)]
    assert offered("extract", "x.pt", "--device", "cp") == ["cpu"]


def test_each_gpu_has_its_number(tmp_path, monkeypatch):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(_complete, "GPUS", tmp_path)
    assert offered("sharpness", "x.pt", "--device", "cuda") == ["cuda", "cuda:0", "cuda:1"]


def test_paths_and_what_a_python_file_defines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mine.py").write_text(
        "raise SystemExit('run')\ndef resnet(): ...\nclass Wide: ...\ndef _no(): ...\n"
    )
    (tmp_path / "nets" / "bad.py").write_text("def (")
    (tmp_path / "images.npz").touch()
    (tmp_path / ".hidden.py").touch()
    assert offered("extract", "x.pt", "--model", "ne") == ["nets/"]
    assert offered("extract", "x.pt", "--model", "nets/") == ["nets/bad.py", "nets/mine.py"]
    assert offered("extract", "x.pt", "--model", "nets/mine.py:") == ["nets/mine.py:resnet", "nets/mine.py:Wide"]
    assert (
        offered("extract", "x.pt", "--model", "nets/bad.py:") == offered("extract", "x.pt", "--model", "no/x.py:") == []
    )
    assert offered("extract", "x.pt", "--data", "npz:") == ["npz:images.npz", "npz:nets/"]
    assert offered("extract", "x.pt", "--data", "folder:n") == ["folder:nets/"]
    assert offered("extract", "x.pt", "--model", "none/") == []


def test_the_last_of_several_measures():
    assert offered("measure", "a.h5", "--measures", "c1,cd") == ["c1,cdnv"]
    assert set(catalog.GROUPS) < set(offered("measure", "a.h5", "--measures", ""))


def test_scores_and_the_measures_that_are_ranked():
    assert tuple(scores.SCORES) == _complete.SCORES
    assert offered("rank", "r", "--score", "pg") == ["pgdl"]
    assert offered("rank", "r", "--by", "c1,inv_alpha") == ["c1,inv_alpha", "c1,inv_alpha_kernels"]


@pytest.mark.parametrize("command", ["train", "extract", "measure", "sharpness", "rank", "report", "submit"])
def test_no_command_fails_to_complete(command):
    assert "--help" in offered(command, "--")
