"""The chain as it is typed in a shell: files, pipes, formats, repeated and interrupted runs."""

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from icc_cli.data import DataSource, load
from icc_cli.extraction import Capture
from icc_cli.models.spec import ModelSpec, build
from tests import oracle, warm
from tests.conftest import MODELS, PER_CLASS, ROOT, icc, warm_server


def shell(command, cwd):
    """A command line of a shell, `icc` standing for this tool; pipefail is on."""
    program = shlex.join([sys.executable, "-S", warm.__file__, warm_server().address])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; icc() {{ {program} \"$@\"; }}; {command}"],
        cwd=cwd, capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_caches_hold_what_the_networks_compute(checkpoints, caches):
    data = load(DataSource("digits", per_class=PER_CLASS))
    for name in MODELS:
        content = torch.load(checkpoints / f"{name}.pt", weights_only=True)
        model = build(ModelSpec(content["model"]["spec"], content["model"]["args"])).eval()
        model.load_state_dict(content["state_dict"])
        with h5py.File(caches / f"{name}.h5") as file:
            rows = file["sample_id"][()]
            classes, subclasses = file["labels/class"][()], file["labels/subclass"][()]
            assert sorted(rows) == list(range(len(data.train)))
            assert np.array_equal(classes, data.train.labels[rows])
            assert np.array_equal(subclasses, data.train.sublabels[rows])
            keys = list(zip(classes, subclasses, rows, strict=True))
            assert keys == sorted(keys)
            images = torch.from_numpy(data.train.images[rows]).permute(0, 3, 1, 2).float() / 255
            capture = Capture(model)
            with torch.inference_mode(), capture:
                outputs = model((images - data.mean[0]) / data.std[0])
            sites, values = capture.take()
            assert [group.attrs["name"] for group in file["sites"].values()] == [site.name for site in sites]
            for group, value in zip(file["sites"].values(), values, strict=True):
                np.testing.assert_allclose(group["preactivations"][()], value.numpy(), rtol=1e-4, atol=1e-5)
            assert np.mean(file["predictions/class"][()] == outputs.argmax(1).numpy()) == 1
            metadata = json.loads(file.attrs["metadata"])
        assert metadata["metrics"]["train_accuracy"] == float(np.mean(outputs.argmax(1).numpy() == classes))
        assert 0 < metadata["metrics"]["test_accuracy"] <= 1


@pytest.mark.parametrize("convention", ["paper", "reference"])
def test_measures_of_trained_networks_agree_with_the_oracle(caches, convention):
    done = icc("measure", "--k", 7, "--layer-k", 2, "--convention", convention, caches)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["checkpoint"] for record in records] == sorted(f"{name}.pt" for name in MODELS)
    for record in records:
        with h5py.File(caches / record["checkpoint"].replace(".pt", ".h5")) as file:
            sites = [group["preactivations"][()] for group in file["sites"].values()]
            labels, sublabels = file["labels/class"][()], file["labels/subclass"][()]
        expected = {
            "c1": oracle.c1(sites, labels, sublabels, 7),
            "c2": oracle.c2(sites, labels, sublabels, 2),
            "c3": oracle.c3(sites, labels, 7),
            "c4": oracle.c4(sites, labels, 2, convention),
        }
        for name, value in expected.items():
            assert record["measures"][name] == pytest.approx(value, rel=1e-5), name


def test_a_pipeline_gives_what_files_give(checkpoints, tmp_path):
    files = shell(f"icc extract {checkpoints} -o a && icc measure --k 30 a -o r && icc rank r", tmp_path)
    assert files.returncode == 0, files.stderr
    pipe = shell(f"icc extract {checkpoints} | icc measure --k 30 - | icc rank -", tmp_path)
    assert pipe.returncode == 0, pipe.stderr
    lines = files.stdout.splitlines()
    ranking = [json.loads(line) for line in lines if line.startswith("{")]
    assert {row["measure"] for row in ranking} >= {"c1", "c2", "c3", "c4"}
    assert [json.loads(line) for line in pipe.stdout.splitlines()] == ranking
    assert [line for line in lines if not line.startswith("{")] == [f"a/{name}.h5" for name in sorted(MODELS)] + [
        f"r/{name}.measure.json" for name in sorted(MODELS)
    ]
    table = shell("icc rank r --format csv > t.csv && cat t.csv", tmp_path)
    assert table.returncode == 0
    assert [row["measure"] for row in csv.DictReader(io.StringIO(table.stdout))] == [r["measure"] for r in ranking]


def test_a_reader_that_leaves_stops_the_command_quietly(checkpoints, caches, tmp_path):
    done = shell(f"icc extract -q {checkpoints} | head -1", tmp_path)
    assert done.stdout.splitlines() == [f"{min(MODELS)}.h5"]
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
    done = shell(f"icc measure -q {caches} | head -1", tmp_path)
    assert json.loads(done.stdout)["record"] == "icc-measure"
    assert done.stderr == ""


def test_bare_forms_write_to_the_current_folder(checkpoints, tmp_path):
    done = icc("extract", checkpoints / "wrn.pt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "wrn.h5\n")
    record = json.loads(icc("measure", "--k", 30, "wrn.h5", cwd=tmp_path).stdout)
    assert record["k"] == 30 and record["model"]["spec"] == "wrn"


def test_done_work_is_kept_until_something_changes(checkpoints, tmp_path):
    arguments = ["extract", checkpoints / "wrn.pt", "-o", tmp_path / "a.h5"]
    icc(*arguments)
    first = (tmp_path / "a.h5").stat().st_mtime_ns
    again = icc(*arguments)
    assert again.stdout == f"{tmp_path / 'a.h5'}\n" and "is up to date" in again.stderr
    assert (tmp_path / "a.h5").stat().st_mtime_ns == first
    assert "is up to date" not in icc(*arguments, "--std", "0.5").stderr
    assert (tmp_path / "a.h5").stat().st_mtime_ns > first
    measure = ["measure", tmp_path / "a.h5", "-o", tmp_path / "r"]
    icc(*measure)
    assert "is up to date" in icc(*measure).stderr
    for changed in (["--all-k"], ["--k", "3", "--force"], ["--force"]):
        assert "is up to date" not in icc(*measure, *changed).stderr


def test_bfloat16_is_near_float32_and_another_cache(checkpoints, caches, tmp_path):
    mixed = ["extract", checkpoints / "wrn.pt", "-o", tmp_path / "a.h5", "--precision", "bfloat16"]
    assert icc(*mixed).returncode == 0
    assert "is up to date" in icc(*mixed).stderr
    with h5py.File(tmp_path / "a.h5") as rough, h5py.File(caches / "wrn.h5") as exact:
        assert json.loads(rough.attrs["metadata"])["dtype"] == "bfloat16"
        assert rough.attrs["content-key"] != exact.attrs["content-key"]
        for name in exact["sites"]:
            a, b = (file["sites"][name]["preactivations"][()] for file in (rough, exact))
            assert a.dtype == np.float32 and not np.array_equal(a, b)
            assert np.abs(a - b).mean() < 0.02 * np.abs(b).mean()


def test_per_site_and_all_k(caches):
    plain, full = (
        json.loads(icc("measure", caches / "wrn.h5", *extra).stdout)
        for extra in ((), ("--per-site", "--all-k", "--site-k", "2"))
    )
    assert full["measures"] == plain["measures"]
    assert "sites" not in plain and len(full["sites"]) == 16
    assert sum(site["neurons"] for site in full["sites"]) == 240 == len(full["all_k"]["c3"])
    assert full["all_k"]["c3"][29] == pytest.approx(full["measures"]["c3"], rel=1e-12)
    assert full["all_k"]["c1"][29] == pytest.approx(full["measures"]["c1"], rel=1e-12)
    with h5py.File(caches / "wrn.h5") as file:
        labels, sublabels = file["labels/class"][()], file["labels/subclass"][()]
        sites = [group["preactivations"][()] for group in file["sites"].values()]
    for site, expected in zip(full["sites"], oracle.per_site(sites, labels, sublabels, 2), strict=True):
        assert {key: site[key] for key in expected} == pytest.approx(expected, rel=1e-5)


def test_inspect_says_what_every_file_holds(checkpoints, caches, tmp_path):
    cache = json.loads(icc("inspect", caches / "wrn.h5").stdout)
    checkpoint = json.loads(icc("inspect", checkpoints / "wrn.pt").stdout)
    assert cache["kind"] == "cache" and cache["neurons"] == checkpoint["neurons"] == 240
    assert [site["site"] for site in cache["sites"]] == [site["site"] for site in checkpoint["sites"]]
    assert cache["weights_sha256"] == checkpoint["weights_sha256"]
    icc("measure", caches / "wrn.h5", "-o", tmp_path)
    record = json.loads(icc("inspect", tmp_path / "wrn.measure.json").stdout)
    assert record["kind"] == "records" and record["count"] == 1
    text = icc("inspect", caches / "wrn.h5", "--format", "table").stdout
    assert "samples: 120" in text and "stages" in text


def test_measure_rank_and_help_never_import_torch(caches, tmp_path):
    icc("measure", caches, "-o", tmp_path)
    program = (
        "import sys; sys.argv[1:] = {arguments}; from icc_cli.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    for arguments in (["--help"], ["measure", str(caches)], ["rank", str(tmp_path)], ["extract", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program.format(arguments=arguments)],
            capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_extract_imports_no_compiler_and_no_torchvision(checkpoints, tmp_path):
    program = (
        "import sys\nfrom icc_cli.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        "assert 'torch' in sys.modules and not {'torch._dynamo', 'torchvision'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "extract", str(checkpoints / "wrn.pt"), "-o", str(tmp_path)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


KILLED_IN_THE_SECOND_CACHE = """
import os, sys
from icc_cli.cache import CacheWriter
from icc_cli.cli import main

how, write = int(sys.argv.pop(1)), CacheWriter.write

def write_and_be_killed(self, start, blocks):
    write(self, start, blocks)
    if start == 60 and "vgg-slow" in self._path.name:
        os.kill(os.getpid(), how)

CacheWriter.write = write_and_be_killed
main()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_extract_leaves_nothing_half_and_is_completed_by_the_same_command(how, checkpoints, caches, tmp_path):
    # The signal comes from within, since one from without may come late on a busy machine.
    arguments = [str(int(how)), "extract", str(checkpoints), "-o", str(tmp_path), "--batch-size", "1"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_SECOND_CACHE, *arguments],
        capture_output=True, text=True, timeout=240, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert killed.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how], killed.stderr
    leftovers = list(tmp_path.glob(".*.tmp"))
    assert len(leftovers) == (how == signal.SIGKILL)
    whole = sorted(tmp_path.glob("*.h5"))
    assert [path.stem for path in whole] == ["vgg-fast"]
    for path in whole:
        assert icc("measure", path).returncode == 0
    done = icc("extract", checkpoints, "-o", tmp_path)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(MODELS)
    assert not list(tmp_path.glob(".*.tmp"))
    fresh = [json.loads(line)["measures"] for line in icc("measure", caches).stdout.splitlines()]
    resumed = [json.loads(line)["measures"] for line in icc("measure", tmp_path).stdout.splitlines()]
    for one, other in zip(fresh, resumed, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_a_killed_measure_leaves_whole_records_and_is_completed_by_the_same_command(caches, tmp_path):
    command = [sys.executable, "-m", "icc_cli", "measure", "--all-k", str(caches), "-o", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    process.stdout.readline()
    process.kill()
    process.communicate()
    for path in tmp_path.glob("*.json"):
        assert json.loads(path.read_text())["record"] == "icc-measure"
    again = icc("measure", "--all-k", caches, "-o", tmp_path)
    assert again.returncode == 0 and "is up to date" in again.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.measure.json" for name in sorted(MODELS)]
    fresh = icc("measure", "--all-k", caches).stdout
    assert "".join(path.read_text() for path in sorted(tmp_path.iterdir())) == fresh


def test_many_checkpoints_load_their_data_once(checkpoints, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    import icc_cli.data
    from icc_cli.cli import app

    loads = []

    def counted(source):
        loads.append(source)
        return load(source)

    monkeypatch.setattr(icc_cli.data, "load", counted)
    result = CliRunner().invoke(app, ["extract", str(checkpoints), "-o", str(tmp_path)])
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == len(MODELS) and len(loads) == 1
