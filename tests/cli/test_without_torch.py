"""What an environment without torch can do, and what it says of the rest. `.ci/package` runs a real one."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    """Runs icc where torch and what goes with it are not installed."""
    folder = tmp_path_factory.mktemp("lite")
    for name in ("torch", "torchvision", "safetensors", "timm", "sklearn", "pandas"):
        (folder / name).mkdir()
        text = f"No module named {name!r}"
        (folder / name / "__init__.py").write_text(f"raise ModuleNotFoundError({text!r}, name={name!r})")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "icc_cli", *map(str, arguments)],
            cwd=folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return run


RECORDS = ROOT / "studies" / "cifar100-superclasses" / "records" / "reference-seed1.jsonl"


def test_measure_rank_plot_and_report_run(lite):
    for command in (
        ("measure", "--k", 5, ROOT / "tests" / "cache" / "v2.h5", "-o", "results"),
        ("rank", RECORDS, "--format", "table"),
        ("rank", RECORDS, "--checkpoints"),
        ("plot", "scatter", RECORDS, "-o", "scatter.svg"),
        ("report", RECORDS, "-o", "report.html"),
    ):
        done = lite(*command)
        assert done.returncode == 0 and done.stdout, done.stderr


@pytest.mark.parametrize("command", ["extract net.pt", "sharpness net.pt", "train --preset smoke", "inspect net.pt"])
def test_the_others_say_what_they_need(lite, command, tmp_path):
    (tmp_path / "net.pt").write_bytes(b"PK\x03\x04")
    done = lite(*command.replace("net.pt", str(tmp_path / "net.pt")).split())
    assert done.returncode == 2 and not done.stdout
    assert "this command needs torch, which is not installed." in done.stderr and "Traceback" not in done.stderr
