"""Bad input: one clear sentence on stderr, the exit code of the specification, nothing on stdout, nothing lost."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cli import app
from tests.conftest import icc


def run(*arguments):
    """Run a command in this process, which spares importing torch once a case."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result, code, *words):
    """Assert that a run ended with `code` and one sentence that holds all `words`."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    text = " ".join(result.stderr.split())
    assert "Traceback" not in text
    for word in words:
        assert word in text, text


@pytest.fixture
def cache(caches, tmp_path):
    return shutil.copy(caches / "wrn.h5", tmp_path / "wrn.h5")


@pytest.fixture
def checkpoint(checkpoints, tmp_path):
    return shutil.copy(checkpoints / "wrn.pt", tmp_path / "net.pt")


def resaved(path, **changes):
    content = torch.load(path, weights_only=True)
    torch.save({**content, **changes}, path)
    return path


@pytest.mark.parametrize("command", ["extract", "measure", "rank", "inspect"])
def test_missing_file(command, tmp_path):
    refused(run(command, tmp_path / "nothing.x"), 2, "nothing.x", "no file")


@pytest.mark.parametrize("command", ["extract", "measure"])
def test_folder_without_inputs(command, tmp_path):
    refused(run(command, tmp_path), 2, "holds no")


@pytest.mark.parametrize(
    ("command", "name", "code"),
    [("extract", "net.pt", 3), ("extract", "net.safetensors", 3), ("measure", "a.h5", 4), ("rank", "r.json", 4)],
)
def test_empty_file(command, name, code, tmp_path):
    (tmp_path / name).touch()
    refused(run(command, tmp_path / name), code, name)


def test_truncated_checkpoint(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    refused(run("extract", checkpoint), 3, "net.pt", "damaged")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_cache(cache, share):
    cache.write_bytes(cache.read_bytes()[: int(cache.stat().st_size * share)])
    refused(run("measure", cache), 4, "wrn.h5", "not a readable cache")


def test_cache_of_a_later_version(cache):
    with h5py.File(cache, "r+") as file:
        file.attrs["format-version"] = 3
    refused(run("measure", cache), 4, "version 3", "reads versions 1 and 2")


def test_hdf5_that_is_no_cache(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = np.zeros(3)
    refused(run("measure", tmp_path / "a.h5"), 4, "not a cache")


def test_text_that_is_no_cache(tmp_path):
    (tmp_path / "a.h5").write_text("hello")
    refused(run("measure", tmp_path / "a.h5"), 4, "not a readable cache")


@pytest.mark.parametrize(
    "name", ["sample_id", "labels/class", "predictions/class", "sites/003/preactivations", "sites"]
)
def test_cache_without_a_part(cache, name):
    with h5py.File(cache, "r+") as file:
        del file[name]
    refused(run("measure", cache), 4, "wrn.h5")


def test_cache_that_links_elsewhere(cache, caches):
    with h5py.File(cache, "r+") as file:
        del file["sites/003/preactivations"]
        file["sites/003/preactivations"] = h5py.ExternalLink(str(caches / "wrn.h5"), "sites/003/preactivations")
    refused(run("measure", cache), 4, "links to another file")


def test_cache_of_absurd_shape(cache):
    with h5py.File(cache, "r+") as file:
        del file["sites/003/preactivations"]
        file.create_dataset("sites/003/preactivations", shape=(120, 2**40), dtype="f4", chunks=(1, 2**20))
    refused(run("measure", cache), 4, "not a plain array")


def test_foreign_globals(tmp_path):
    torch.save({"state_dict": torch.nn.Linear(1, 1)}, tmp_path / "net.pt")
    refused(run("extract", tmp_path / "net.pt"), 3, "could run code", "torch.nn.modules.linear.Linear")


def test_state_dict_that_does_not_fit(checkpoint):
    refused(run("extract", checkpoint, "--model", "wrn:num_classes=3,in_channels=1"), 3, "does not fit", "stem")


def test_state_dict_without_a_model(tmp_path):
    torch.save(torch.nn.Linear(1, 1).state_dict(), tmp_path / "net.pt")
    refused(run("extract", tmp_path / "net.pt"), 2, "--model")
    refused(run("extract", tmp_path / "net.pt", "--model", "wrn:depth=1"), 2, "--data")


def test_a_checkpoint_does_not_choose_which_code_is_run(checkpoint, tmp_path):
    witness = tmp_path / "ran"
    resaved(checkpoint, model={"spec": "os:system", "args": {"command": f"touch {witness}"}})
    for command in ("extract", "inspect"):
        refused(run(command, checkpoint), 2, "os:system", "--model")
    assert not witness.exists()
    refused(run("extract", resaved(checkpoint, model={"name": "wrn"})), 3, "model.spec is missing")
    refused(run("extract", resaved(checkpoint, model=3)), 3, "model is 3, expected an object")
    refused(
        run("extract", resaved(checkpoint, model={"spec": "wrn", "args": {}}, data=[1])), 3, "data is a list, expected"
    )


def test_labels_outside_the_head(checkpoint, tmp_path):
    images = np.zeros((6, 8, 8), np.uint8)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(6))
    result = run("extract", checkpoint, "--data", f"npz:{tmp_path / 'data.npz'}", "-o", tmp_path)
    refused(result, 3, "3 outputs", "up to 5")
    assert not (tmp_path / "net.h5").exists()


def test_images_that_the_model_cannot_take(checkpoint, tmp_path):
    np.savez(tmp_path / "data.npz", images=np.zeros((6, 8, 8, 3), np.uint8), labels=np.arange(6) % 3)
    refused(
        run("extract", checkpoint, "--data", f"npz:{tmp_path / 'data.npz'}"), 3, "cannot take images of shape (3, 8, 8)"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_network_that_diverged(checkpoint, tmp_path, value):
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    state["stages.1.1.conv1.weight"][0, 0, 0, 0] = value
    result = run("extract", resaved(checkpoint, state_dict=state), "-o", tmp_path)
    refused(result, 3, "net.pt", "NaN or infinity", "stages.1.1.conv1.weight")
    state["stages.1.1.conv1.weight"][0, 0, 0, 0] = 0
    state["stages.1.1.norm1.running_mean"][0] = value
    result = run("extract", resaved(checkpoint, state_dict=state), "-o", tmp_path)
    refused(result, 3, "net.pt", "NaN or infinity", "stages.1.1.norm1")
    assert not (tmp_path / "net.h5").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_cache_that_holds_nan(cache, value):
    with h5py.File(cache, "r+") as file:
        file["sites/005/preactivations"][7, 3] = value
        name = file["sites/005"].attrs["name"]
    refused(run("measure", cache), 4, name, "NaN or infinity")


@pytest.mark.parametrize("option", ["--k", "--layer-k", "--site-k"])
def test_k_of_zero(cache, option):
    result = run("measure", option, 0, cache)
    assert result.exit_code == 2 and option in result.stderr


def with_labels(cache, change):
    with h5py.File(cache, "r+") as file:
        change(file)
    return cache


def test_a_class_of_one_sample_is_left_out_of_c4_with_a_note(cache):
    def change(file):
        file["labels/class"][-1] = 9

    record = json.loads(run("measure", with_labels(cache, change)).stdout)
    assert any(note.startswith("c4: left out") and "class 9" in note for note in record["notes"])
    assert all(value is not None for value in record["measures"].values())


def test_without_subclasses_c1_and_c2_are_null_with_a_note(cache):
    def change(file):
        del file["labels/subclass"]

    record = json.loads(run("measure", with_labels(cache, change)).stdout)
    assert record["measures"]["c1"] is None and record["measures"]["c2"] is None
    assert record["measures"]["c3"] > 0 and record["measures"]["c4"] > 0
    assert record["notes"] == ["c1, c2: there are no subclasses."]


def test_an_output_folder_that_cannot_be_made(checkpoint, cache, tmp_path):
    (tmp_path / "file").touch()
    refused(run("extract", checkpoint, "-o", tmp_path / "file" / "sub"), 2, "cannot create the output folder")
    refused(run("measure", cache, "-o", tmp_path / "file" / "sub"), 2, "cannot create the output folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_that_is_read_only(checkpoint, tmp_path):
    (tmp_path / "sub").mkdir(mode=0o500)
    refused(run("extract", checkpoint, "-o", tmp_path / "sub"), 2, "not writable")


def test_a_full_disk(checkpoint, cache, small_disk):
    result = icc("extract", checkpoint, "-o", small_disk)
    assert result.returncode == 1 and "No space left on device" in result.stderr and "Traceback" not in result.stderr
    assert list(small_disk.iterdir()) == []
    (small_disk / "fill").write_bytes(bytes(96 * 1024))
    result = icc("measure", "--all-k", cache, "-o", small_disk)
    assert result.returncode == 1 and "No space left on device" in result.stderr and "Traceback" not in result.stderr
    assert [path.name for path in small_disk.iterdir()] == ["fill"]


def test_one_bad_input_of_many_is_reported_and_the_others_are_done(checkpoints, caches, tmp_path):
    folder = shutil.copytree(checkpoints, tmp_path / "ckpts")
    (folder / "bad.pt").write_bytes(b"PK\x03\x04")
    result = run("extract", folder, "-o", tmp_path / "a")
    assert result.exit_code == 1 and "bad.pt" in result.stderr and "1 of 4 inputs failed" in result.stderr
    assert len(result.stdout.splitlines()) == 3
    shutil.copytree(caches, tmp_path / "b")
    (tmp_path / "b" / "bad.h5").write_bytes(b"\x89HDF")
    result = run("measure", tmp_path / "b")
    assert result.exit_code == 1 and "bad.h5" in result.stderr and len(result.stdout.splitlines()) == 3


def test_two_inputs_with_one_output_are_refused(checkpoints, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(checkpoints / "wrn.pt", tmp_path / folder)
    result = run("extract", tmp_path / "a" / "wrn.pt", tmp_path / "b" / "wrn.pt", "-o", tmp_path / "out.h5")
    assert result.exit_code == 1 and "would both be written to" in result.stderr
    result = run("extract", tmp_path, "-o", tmp_path / "out2")
    assert result.exit_code == 0 and len(list((tmp_path / "out2").rglob("*.h5"))) == 2


def test_debug_shows_the_traceback(tmp_path):
    (tmp_path / "a.h5").touch()
    done = icc("measure", "--debug", tmp_path / "a.h5")
    assert done.returncode == 4 and "Traceback" in done.stderr


def test_unknown_data_model_and_preset(checkpoint):
    refused(run("extract", checkpoint, "--data", "mnist"), 2, "unknown data set")
    refused(run("extract", checkpoint, "--model", "resnet"), 2, "unknown model")
    refused(run("train", "--preset", "nothing"), 2, "no preset")


def test_wrong_data_and_wrong_normalisation_are_warned_of(checkpoint, tmp_path):
    result = run("extract", checkpoint, "--per-class", 5, "-o", tmp_path)
    assert result.exit_code == 0 and "trained on other images" in result.stderr
    resaved(checkpoint, metrics={"train_accuracy": 0.2})
    result = run("extract", checkpoint, "-o", tmp_path)
    assert result.exit_code == 0 and "0.200 in the checkpoint" in result.stderr
