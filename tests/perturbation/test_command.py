"""`icc sharpness` as users run it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icc_cli.cli import app
from tests.conftest import icc

QUICK = ("--target", "drop:.1", "--tolerance", ".3", "--ascent-steps", "5", "--max-samples", "30", "--device", "cpu")


def records(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_records_resume_and_rank(checkpoints, tmp_path):
    done = icc("sharpness", checkpoints, "-o", tmp_path / "r", *QUICK)
    assert done.returncode == 0, done.stderr
    paths = done.stdout.splitlines()
    assert [path.rsplit("/", 1)[1] for path in paths] == [
        f"{n}.sharpness.json" for n in ("vgg-fast", "vgg-slow", "wrn")
    ]
    texts = [Path(path).read_text() for path in paths]
    record = json.loads(texts[0])
    assert (record["record"], record["version"], record["target"]) == ("icc-sharpness", 1, "drop:0.1")
    names = ["inv_sigma", "inv_alpha", "inv_sigma_kernels", "inv_alpha_kernels"]
    assert list(record["measures"]) == names == list(record["details"])
    assert record["samples"] == 30 and record["hparams"]["lr"] == 0.1
    for name, detail in record["details"].items():
        assert detail["outcome"] in ("converged", "hit-bound", "not-converged", "undefined")
        assert detail["inverse"] == record["measures"][name]
        assert detail["bn"] == ("batch" if name.endswith("kernels") else "eval")
    again = icc("sharpness", checkpoints, "-o", tmp_path / "r", *QUICK)
    assert again.stdout == done.stdout and again.stderr.count("is up to date") == 3
    # One alone, under another name, gives the same numbers: serial and parallel runs agree.
    shutil.copy(checkpoints / "vgg-fast.pt", tmp_path / "copy.pt")
    (alone,) = records(icc("sharpness", tmp_path / "copy.pt", *QUICK))
    assert alone["measures"] == record["measures"] and alone["details"] == record["details"]


def test_options_choose_measures(checkpoints):
    one = checkpoints / "vgg-fast.pt"
    (record,) = records(icc("sharpness", one, *QUICK, "--mode", "random", "--kernels-only", "--bn", "eval", "-q"))
    assert list(record["details"]) == ["inv_sigma_kernels"]
    assert record["details"]["inv_sigma_kernels"]["bn"] == "eval"
    assert record["measures"]["inv_sigma"] is None
    (other,) = records(icc("sharpness", one, *QUICK, "--mode", "random", "--seed", 1, "--method", "reference"))
    assert other["method"] == "reference" and other["details"]["inv_sigma"]["standard_error"] is None
    table = icc("sharpness", one, *QUICK, "--mode", "random", "--format", "table").stdout
    assert "inv_sigma" in table and "outcome" in table


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--target", "loss:1"), 2, "accuracy:X or drop:X"),
        (("--target", "drop:1.5"), 2, "drop:1.5"),
        (("--mode", "best"), 2, "best"),
        (("-o", "x.csv"), 2, "x.csv"),
        (("--model", "vgg:num_classes=7"), 3, "does not fit"),
    ],
)
def test_what_goes_wrong(checkpoints, options, code, words):
    done = CliRunner().invoke(app, ["sharpness", str(checkpoints / "vgg-fast.pt"), *options])
    assert done.exit_code == code and words in done.stderr and done.stdout == "" and "Traceback" not in done.stderr
