"""The published cache format: a file of every version stays readable, and says what docs/cache-format.md says."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from icc_cli import hdf5, measuring
from icc_cli.cache import Rows, SiteInfo, background, new_cache, open_cache, stored_content_key
from icc_cli.errors import FormatError
from icc_cli.measures.options import Options
from icc_cli.measuring import lacking
from tests import oracle
from tests.conftest import ROOT
from tests.measures.paper import measure

VERSION_1 = Path(__file__).parent / "v1.h5"
VERSION_2 = Path(__file__).parent / "v2.h5"


def test_version_1_has_exactly_what_is_published():
    with h5py.File(VERSION_1) as file:
        names = []
        file.visit(names.append)
        sites = [f"sites/{index:03d}" for index in range(8)]
        assert sorted(names) == sorted(
            ["labels", "labels/class", "labels/subclass", "predictions", "predictions/class", "sample_id", "sites"]
            + sites
            + [f"{site}/preactivations" for site in sites]
        )
        assert set(file.attrs) == {
            "format", "format-version", "generated-by", "creation-date", "content-key", "metadata",
        }  # fmt: skip
        types = {name: (file[name].dtype, file[name].ndim) for name in names if isinstance(file[name], h5py.Dataset)}
        assert types.pop("sample_id") == (np.int64, 1)
        for name, found in types.items():
            assert found == ((np.float32, 2) if name.startswith("sites") else (np.int32, 1))
        for site in sites:
            assert set(file[site].attrs) == {"name", "kind", "map_size"}
        documented = (ROOT / "docs" / "cache-format.md").read_text()
        for word in (*file.attrs, *json.loads(file.attrs["metadata"]), *file["sites/000"].attrs, "sample_id"):
            assert word in documented, word


@pytest.mark.parametrize("convention", ["paper", "reference"])
def test_version_1_is_measured(convention):
    with open_cache(VERSION_1) as cache:
        result = measure(cache.sites, cache.labels, cache.sublabels, Options(5, 2, convention=convention))
        sites = [site.rows(0, len(cache.labels)) for site in cache.sites]
        assert len(cache.labels) == 120 and cache.metadata["model"]["spec"] == "vgg"
        assert result.measures == pytest.approx(
            {
                "c1": oracle.c1(sites, cache.labels, cache.sublabels, 5),
                "c2": oracle.c2(sites, cache.labels, cache.sublabels, 2),
                "c3": oracle.c3(sites, cache.labels, 5),
                "c4": oracle.c4(sites, cache.labels, 2, convention),
            },
            rel=1e-5,
        )


def test_version_2_has_exactly_what_is_published_and_is_measured():
    with h5py.File(VERSION_2) as file:
        names = set()
        file.visit(names.add)
        assert names >= {"head/inputs", "head/weight", "head/bias", "logits", "sites/000/preactivations"}
        assert {name.split("/")[0] for name in names} == {
            "labels",
            "predictions",
            "sample_id",
            "sites",
            "head",
            "logits",
        }
        documented = (ROOT / "docs" / "cache-format.md").read_text()
        for word in (*json.loads(file.attrs["metadata"]), "/head/inputs", "/head/weight", "/head/bias", "/logits"):
            assert word in documented, word
    with open_cache(VERSION_2) as cache:
        head, logits = cache.head, cache.logits.rows(0, 60)
        assert cache.version == 2 and head.inputs.shape == (60, 32)
        assert np.allclose(head.inputs.rows(0, 60) @ head.weight.T + head.bias, logits, atol=1e-6)
        assert np.array_equal(logits.argmax(axis=1), cache.predictions)
        assert set(lacking(cache).values()) == {""}
    found = measuring.measure(VERSION_2, measures="all")
    assert all(value is not None for value in found.values()), found


def test_what_version_1_lacks_is_said():
    with open_cache(VERSION_1) as cache:
        assert cache.head is None and cache.logits is None
        assert "version 1" in lacking(cache)["geometry"] and "version 1" in lacking(cache)["outputs"]
        assert lacking(cache)["paper"] == ""
    found = measuring.measure(VERSION_1, measures="nc1")
    assert found["nc1"] is None and "version 1" in found.notes[0]


def written(path, dtype="float32", finish=True):
    values = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
    with new_cache(path, dtype) as writer:
        labels = np.array([0, 0, 1, 1])
        writer.create(Rows(np.arange(4), labels, None), [SiteInfo("a", "map", 3, 16), SiteInfo("a#1", "dense", 2, 1)])
        with background(writer.write) as submit:
            for start in (0, 2):
                submit(start, [values[start : start + 2], values[start : start + 2, :2]])
        if finish:
            writer.finish(labels, {"checkpoint": "x"}, "key")
    return values


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_is_read(tmp_path, dtype):
    values = written(tmp_path / "a.h5", dtype)
    with open_cache(tmp_path / "a.h5") as cache:
        assert [(site.name, site.kind, site.map_size) for site in cache.sites] == [
            ("a", "map", 16),
            ("a#1", "dense", 1),
        ]
        assert np.array_equal(cache.sites[0].rows(0, 4), values.astype(dtype))
        assert np.array_equal(cache.sites[1].rows(1, 3), values[1:3, :2].astype(dtype))
        assert cache.sublabels is None and cache.predictions.tolist() == [0, 0, 1, 1]
    assert stored_content_key(tmp_path / "a.h5") == "key"


def test_a_file_that_changes_while_it_is_open(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(VERSION_2.read_bytes())
    with open_cache(path) as cache:
        whole = cache.sites[-1].rows(0, 10**9)
        assert len(whole) == len(cache.labels) and np.array_equal(whole[3:5], cache.sites[-1].rows(3, 5))
        assert cache.sites[0].rows(5, 5).shape == (0, cache.sites[0].shape[1])
        os.truncate(path, 2000)
        with pytest.raises(FormatError, match=r"a\.h5 is incomplete"):
            cache.sites[-1].rows(0, len(cache.labels))
    with pytest.raises(FormatError, match="closed file"):
        cache.sites[0].rows(0, 1)


def test_a_file_that_is_replaced_while_it_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    path.write_bytes(VERSION_2.read_bytes())

    def read(work, *arguments):
        found = work(*arguments)
        path.unlink()
        path.write_bytes(VERSION_1.read_bytes())
        return found

    monkeypatch.setattr(hdf5, "read", read)
    with (
        pytest.raises(FormatError, match=r"a\.h5 has changed while it was read\. Run the same command again"),
        open_cache(path),
    ):
        pass


def test_a_compact_array_is_no_large_one(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(VERSION_2.read_bytes())
    with h5py.File(path, "r+") as file:
        name = "sites/000/preactivations"
        values = file[name][:]
        del file[name]
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(values.shape)
        made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_FLOAT, space, dcpl=layout)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    with pytest.raises(FormatError, match="not a plain array in this file"), open_cache(path):
        pass


def test_a_file_without_its_last_words_is_no_cache(tmp_path):
    written(tmp_path / "a.h5", finish=False)
    with pytest.raises(FormatError, match="not a cache"), open_cache(tmp_path / "a.h5"):
        pass
    assert stored_content_key(tmp_path / "a.h5") is None


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_cache(tmp_path / "a.h5", "float32") as writer:
        writer.create(Rows(np.arange(2), np.zeros(2, np.int64), None), [SiteInfo("a", "map", 3, 16)])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_background_is_raised():
    def fails(value):
        raise ValueError(value)

    with pytest.raises(ValueError, match="3"), background(fails) as submit:
        submit(3)


@pytest.mark.long
def test_a_flipped_bit_of_the_structure_is_an_error_or_changes_nothing(tmp_path):
    whole = VERSION_1.read_bytes()
    random = np.random.default_rng(0)
    with h5py.File(VERSION_1) as file:
        names = []
        file.visit(names.append)
        datasets = [file[name] for name in names if isinstance(file[name], h5py.Dataset)]
        spans = [(dataset.id.get_offset(), dataset.nbytes) for dataset in datasets]
    structure = [p for p in range(len(whole)) if not any(start <= p < start + size for start, size in spans)]
    undamaged = measured(VERSION_1)
    refused = 0
    for position in random.choice(structure, 200, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(random.integers(8))
        (tmp_path / "a.h5").write_bytes(damaged)
        try:
            found = measured(tmp_path / "a.h5")
        except FormatError:
            refused += 1
        else:
            assert found == undamaged, position
    assert refused >= 20, "HDF5 leaves many bytes unused, but not so many"


def measured(path):
    with open_cache(path) as cache:
        return measure(cache.sites, cache.labels, cache.sublabels, Options(5)).measures
