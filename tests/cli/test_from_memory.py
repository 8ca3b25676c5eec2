"""`icc measure` without caches: of checkpoints, from memory; and of caches that it removes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icc_cli.cli import app
from tests.conftest import icc
from tests.extraction.test_with_test import network

__all__ = ["network"]
EVERYTHING = ("--measures", "all", "--k", "3", "--layer-k", "2", "--per-site", "--all-k")


def run(*arguments, text=None):
    return CliRunner().invoke(app, list(map(str, arguments)), input=text)


def test_records_equal_those_of_caches_to_the_last_bit(checkpoints, caches, tmp_path):
    from_caches, from_memory = tmp_path / "caches", tmp_path / "memory"
    done = [
        icc("measure", caches, *EVERYTHING, "-o", from_caches),
        icc("measure", checkpoints, *EVERYTHING, "-o", from_memory),
    ]
    assert [one.returncode for one in done] == [0, 0], done[1].stderr
    names = sorted(path.name for path in from_caches.iterdir())
    assert len(names) == 3 and names == sorted(path.name for path in from_memory.iterdir())
    for name in names:
        assert (from_caches / name).read_text() == (from_memory / name).read_text()
    assert sorted(path.suffix for path in checkpoints.iterdir()) == [".pt"] * 3
    # A record of either way is one of the other: nothing is done twice.
    again = icc("measure", checkpoints, *EVERYTHING, "-o", from_caches)
    assert again.stderr.count("is up to date") == 3


def test_the_options_of_extract_are_those_of_the_network(network):
    options = ("--model", "net.py:net", "--data", "npz:data.npz", "--sites", "1")
    assert run("extract", "net.pt", *options, "-o", "net.h5").exit_code == 0
    wanted = json.loads(run("measure", "net.h5", "--measures", "all", "--per-site").stdout)
    done = run("measure", "net.pt", *options, "--measures", "all", "--per-site")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == wanted and len(found["sites"]) == 1


def test_a_pipe_may_name_either(network, tmp_path):
    options = ("--model", "net.py:net", "--data", "npz:data.npz")
    assert run("extract", "net.pt", *options, "-o", "acts/net.h5").exit_code == 0
    one = run("measure", "-", *options, text="net.pt\n")
    other = run("measure", "-", text="acts/net.h5\n")
    assert json.loads(one.stdout)["measures"] == json.loads(other.stdout)["measures"]
    # Of a folder with both, the caches are measured.
    both = run("measure", ".")
    assert both.exit_code == 0 and len(both.stdout.splitlines()) == 1


@pytest.mark.parametrize("option", [("--model", "net.py:net"), ("--data", "digits"), ("--activations", "gelu")])
def test_options_of_networks_are_refused_for_a_cache(network, option):
    assert run("extract", "net.pt", "--model", "net.py:net", "--data", "npz:data.npz", "-o", "net.h5").exit_code == 0
    done = run("measure", "net.h5", *option)
    assert done.exit_code == 2 and f"{option[0]} is for checkpoints" in done.stderr


def test_caches_are_removed_once_their_records_are_written(network):
    extract = ("extract", "net.pt", "--model", "net.py:net", "--data", "npz:data.npz")
    assert run(*extract, "-o", "acts").exit_code == 0
    assert all(run(*extract, "-o", "parts", "--rows", f"{i}/2").exit_code == 0 for i in (1, 2))
    assert run("measure", "acts", "--remove-caches").exit_code == 2  # without a place for the record
    assert Path("acts/net.h5").exists()
    kept = json.loads(run("measure", "acts").stdout)
    done = run("measure", "-", "--remove-caches", "-o", "results", text="acts/net.h5\n")
    assert done.exit_code == 0 and not Path("acts/net.h5").exists()
    assert json.loads(Path("results/net.measure.json").read_text()) == kept
    assert run("measure", "parts", "--remove-caches", "-o", "other").exit_code == 0
    assert not any(Path("parts").iterdir()) and Path("other/net.measure.json").exists()


def test_a_cache_stays_when_its_record_cannot_be_written_and_a_checkpoint_always(network):
    options = ("--model", "net.py:net", "--data", "npz:data.npz")
    assert run("extract", "net.pt", *options, "-o", "acts/net.h5").exit_code == 0
    Path("file").write_text("")
    assert run("measure", "acts", "--remove-caches", "-o", "file/results").exit_code != 0
    assert run("measure", "acts", "--remove-caches", "-o", "results", "--k", "0").exit_code == 2
    assert Path("acts/net.h5").exists()
    assert run("measure", "net.pt", *options, "--remove-caches", "-o", "results").exit_code == 0
    assert Path("net.pt").exists()
    # What is known already is removed too.
    assert run("measure", "acts", "--remove-caches", "-o", "results").exit_code == 0
    assert not Path("acts/net.h5").exists()
