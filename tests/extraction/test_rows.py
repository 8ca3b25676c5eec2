"""`icc extract --rows`: one cache in several files, each with a part of the samples, read as one."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from icc_cli import measure
from icc_cli.cache import open_cache
from icc_cli.cache.joined import JoinedSite
from icc_cli.cli import app
from tests.extraction.test_with_test import TEST, TRAIN, network

PARTS = 3
__all__ = ["network"]


def run(command, *arguments, text=None):
    return CliRunner().invoke(app, [command, *arguments], input=text)


def extract(*options):
    return run("extract", "net.pt", "--model", "net.py:net", "--data", "npz:data.npz", *options)


@pytest.fixture
def parts(network):
    """The paths of the three parts of acts/net.h5; whole/net.h5 is the same in one file."""
    assert extract("--with-test", "-o", "whole").exit_code == 0
    printed = []
    for number in range(1, PARTS + 1):
        done = extract("--with-test", "-o", "acts", "--rows", f"{number}/{PARTS}")
        assert done.exit_code == 0, done.stderr
        printed += done.stdout.split()
    assert printed == [f"acts/net.{number}of{PARTS}.h5" for number in range(1, PARTS + 1)]
    return printed


@pytest.mark.parametrize("split, rows", [("train", TRAIN), ("test", TEST)])
def test_the_parts_are_the_whole(parts, split, rows):
    with open_cache(Path("whole/net.h5"), split) as whole, open_cache(Path(parts[1]), split) as cache:
        assert len(cache.labels) == rows and cache.content_key == whole.content_key
        for name in ("sample_id", "labels", "sublabels", "predictions"):
            assert np.array_equal(getattr(cache, name), getattr(whole, name)), name
        tables = [[*found.sites, found.head.inputs, found.logits] for found in (cache, whole)]
        for one, other in zip(*tables, strict=True):
            assert one.name == other.name and one.shape == other.shape == (rows, other.shape[1])
            assert np.allclose(one.rows(0, rows), other.rows(0, rows), rtol=1e-6, atol=1e-7)
        assert np.array_equal(cache.head.weight, whole.head.weight)
        assert cache.test_samples == TEST
        assert "rows" not in cache.metadata and set(cache.metadata) == set(whole.metadata)
        assert cache.metadata["metrics"] == pytest.approx(whole.metadata["metrics"], rel=1e-6)
        assert cache.metadata["metrics"]["train_accuracy"] not in (0.0, 1.0)


def test_they_are_measured_as_one(parts):
    named = ["--measures", "all", "--k", "3", "--per-site"]
    done = run("measure", "acts", "-o", "results", *named)
    assert done.exit_code == 0 and done.stdout.split() == ["results/net.measure.json"], done.stderr
    found = json.loads(Path("results/net.measure.json").read_text())
    assert found["measures"] == pytest.approx(measure("whole/net.h5", measures="all", k=3).measures, rel=1e-5)
    # A pipe names every part; one record comes of them, and is up to date for the others.
    piped = run("measure", "-", "-o", "results", *named, text="\n".join(parts))
    assert set(piped.stdout.split()) == {"results/net.measure.json"}
    assert piped.stderr.count("is up to date") == PARTS
    shown = json.loads(run("inspect", parts[0]).stdout)
    assert (shown["samples"], shown["test samples"]) == (TRAIN, TEST)


def test_a_part_that_is_missing_is_named(parts):
    Path(parts[1]).unlink()
    for given_ in ("acts", parts[2]):
        done = run("measure", given_)
        assert done.exit_code == 4 and "net.2of3.h5 is not there" in done.stderr
    assert run("measure", "whole").exit_code == 0


def test_parts_of_two_runs_are_told(parts):
    assert extract("-o", "acts", "--rows", "2/3", "--force").exit_code == 0  # without the test split
    done = run("measure", "acts")
    assert done.exit_code == 4 and "not parts of one cache" in done.stderr


def test_a_part_under_another_name_is_told(parts):
    shutil.copy(parts[0], parts[1])
    done = run("measure", "acts")
    assert done.exit_code == 4 and "part 2 of 3" in done.stderr
    shutil.copy(parts[0], "alone.h5")
    done = run("measure", "alone.h5")
    assert done.exit_code == 4 and "its name does not say which" in done.stderr


def test_a_part_that_lacks_what_was_measured_is_damaged(parts):
    for path in parts:
        with h5py.File(path, "r+") as file:
            said = json.loads(file.attrs["metadata"])
            del said["measured"]["train_loss" if path == parts[1] else "train_accuracy"]
            file.attrs["metadata"] = json.dumps(said)
    done = run("measure", "acts")
    assert done.exit_code == 4 and "are not parts of one cache" in done.stderr


def test_a_file_named_as_a_part_that_is_none_is_refused(parts):
    with h5py.File(parts[1], "r+") as file:
        said = json.loads(file.attrs["metadata"])
        del said["rows"], said["measured"]
        file.attrs["metadata"] = json.dumps(said)
    done = run("measure", parts[0])
    assert done.exit_code == 4 and "are not parts of one cache" in done.stderr


@pytest.mark.parametrize("text, why", [("4/3", "not i/n"), ("0/3", "not i/n"), ("a", "not i/n"), ("1/31", "31")])
def test_parts_that_there_cannot_be(network, text, why):
    done = extract("--rows", text)
    assert done.exit_code == 2 and why in done.stderr


def test_a_part_is_kept(parts):
    done = extract("--with-test", "-o", "acts", "--rows", "2/3")
    assert done.exit_code == 0 and "is up to date" in done.stderr


def test_a_job_array_over_the_rows(network):
    command = ["extract", "net.pt", "--model", "net.py:net", "--data", "npz:data.npz", "-o", "acts"]
    shown = run("submit", "--array", "2", "--by-rows", "--dry-run", "--executor", "local", "--", *command)
    assert '--rows "$((task + 1))/2"' in shown.stdout and "--shard" not in shown.stdout
    assert run("submit", "--by-rows", "--dry-run", "--executor", "local", "--", *command).exit_code == 2
    assert run("submit", "--array", "2", "--by-rows", "--executor", "local", "--", "measure", "acts").exit_code == 2
    done = run("submit", "--array", "2", "--by-rows", "--executor", "local", "--", *command)
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in Path("acts").iterdir()) == ["net.1of2.h5", "net.2of2.h5"]
    with open_cache(Path("acts/net.1of2.h5")) as cache:
        assert len(cache.labels) == TRAIN


@dataclass(frozen=True)
class Held:
    values: np.ndarray

    @property
    def shape(self):
        return self.values.shape

    def rows(self, start, stop):
        assert 0 <= start < stop <= len(self.values)
        return self.values[start:stop]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.data())
def test_any_rows_of_any_parts(sizes, data):
    whole = np.arange(2.0 * sum(sizes)).reshape(-1, 2)
    site = JoinedSite(tuple(Held(part) for part in np.split(whole, np.cumsum(sizes)[:-1])))
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, len(whole)))
    assert site.shape == whole.shape
    assert np.array_equal(site.rows(start, stop), whole[start:stop])
