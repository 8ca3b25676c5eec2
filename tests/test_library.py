"""The library as a user imports it."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import icc_cli as icc
from tests.conftest import ROOT
from tests.conftest import icc as icc_command


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_imports_nothing_heavy():
    heavy = ["torch", "numpy", "h5py", "scipy", "typer", "rich", "matplotlib", "icc_cli.cli"]
    assert run(f"import icc_cli, sys; print([name for name in {heavy} if name in sys.modules])").strip() == "[]"


def test_measuring_and_ranking_import_no_torch():
    code = (
        "import icc_cli as icc, sys, numpy as np\n"
        "icc.measure({'a': np.eye(4)}, [0, 0, 1, 1], [0, 1, 2, 3])\n"
        "icc.rank([{'lr': i, 'm': i, 'acc': i} for i in range(3)], target='acc', hparams=['lr'], measures=['m'])\n"
        "icc.Measure, icc.read_records\n"
        "print('torch' in sys.modules, 'typer' in sys.modules, 'rich' in sys.modules)"
    )
    assert run(code).split() == ["False"] * 3


def test_every_public_name_is_there():
    for name in icc.__all__:
        assert getattr(icc, name).__doc__, name
    assert sorted(icc.__all__) == dir(icc)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        icc.nothing  # noqa: B018


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    labels, sublabels = rng.integers(3, size=60), rng.integers(4, size=60)
    return {"a": rng.normal(size=(60, 8)), "b": rng.normal(size=(60, 5)).astype(np.float32)}, labels, sublabels


def test_rows_may_come_in_any_order_and_of_any_kind(arrays):
    sites, labels, sublabels = arrays
    expected = dict(icc.measure(sites, labels, sublabels, k=3))
    assert None not in expected.values()
    names = np.array(["cat", "dog", "eel"])[labels]
    order = np.lexsort((sublabels, labels))
    for given in (
        ({name: torch.tensor(site) for name, site in sites.items()}, torch.tensor(labels), torch.tensor(sublabels)),
        ({name: site[order] for name, site in sites.items()}, labels[order], sublabels[order]),
        (sites, names, sublabels.astype(str)),
        ({name: site.tolist() for name, site in sites.items()}, labels.tolist(), list(sublabels)),
    ):
        assert dict(icc.measure(*given, k=3)) == pytest.approx(expected, rel=1e-6)


def test_without_sublabels_two_measures_are_none(arrays):
    sites, labels, _ = arrays
    result = icc.measure(sites, labels, k=3)
    assert result["c1"] is None and result["c2"] is None and result["c3"] > 0
    assert "there are no subclasses" in repr(result) and "there are no subclasses" in result._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (({"a": np.ones((4, 2))},), {}, "arrays need labels"),
        (({"a": np.ones((4, 2))}, [0, 1]), {}, r"shape \(4, 2\)"),
        (({"a": np.ones((2, 2, 2))}, [0, 1]), {}, "Reduce feature maps"),
        (({"a": np.ones((2, 2))}, [0.5, 1]), {}, "whole numbers or text"),
        (({"a": np.ones((2, 2))}, [0, 1], [0]), {}, "2 labels and 1 sublabels"),
        (({"a": np.ones((2, 2))}, [0, 1]), {"k": 0}, "k must be at least 1"),
        (({"a": np.ones((2, 2))}, [0, 1]), {"measures": "c7"}, "'c7'"),
        (({"a": np.full((2, 2), np.nan)}, [0, 1]), {}, "site a holds NaN"),
        (({}, [0, 1]), {}, "no site"),
        (("nowhere.h5",), {}, "nowhere.h5"),
    ],
)
def test_mistakes_raise_one_clear_error(arguments, options, message):
    with pytest.raises((icc.IccError, FileNotFoundError), match=message):
        icc.measure(*arguments, **options)


def test_a_caller_s_measure_may_fail_clearly():
    bad = icc.Measure("bad", lambda view: 1 / 0, over="sites")
    with pytest.raises(icc.IccError, match="measure bad failed at site a: ZeroDivisionError"):
        icc.measure({"a": np.eye(3)}, [0, 0, 1], measures=bad)
    shape = icc.Measure("shape", lambda view: np.zeros(2), over="neurons", groups="classes")
    with pytest.raises(icc.IccError, match=r"gave an array of shape \(2,\) at site a, expected \(2, 3\)"):
        icc.measure({"a": np.eye(3)}, [0, 0, 1], measures=shape)
    for field, value in {"over": "layers", "groups": "all", "average": "max", "with_accuracy": 2}.items():
        with pytest.raises(icc.IccError, match=field):
            icc.Measure("m", lambda view: 0.0, **{"over": "sites", field: value})


def test_scores_that_are_not_defined_have_no_part():
    def scores(view):
        found = np.arange(2 * view.shape[1], dtype=float).reshape(2, -1)
        found[0, -1] = np.nan
        found[1] = np.nan
        return found

    partial = icc.Measure("partial", scores, over="neurons", groups="classes")
    site = {"a": np.arange(8.0).reshape(2, 4)}
    result = icc.measure(site, [0, 1], measures=partial, k=2, all_k=True, per_site=True)
    assert result["partial"] == 1.5, "the best two of 0, 1, 2 and nothing"
    assert result.all_k["partial"].tolist() == [2.0, 1.5, 1.0, 1.0]
    assert result.notes == ("partial: left out, having fewer than two samples: class 1.",)


def test_a_measure_may_bring_its_own_reduction():
    last = icc.Measure("last", lambda view: view.moments.mean.mean(), over="sites", reduce=lambda sites: sites[-1])
    site = np.arange(4.0).reshape(2, 2)
    assert icc.measure({"a": site, "b": site + 10}, [0, 1], measures=last)["last"] == 11.5


def test_records_of_a_folder(caches, tmp_path):
    done = icc_command("measure", caches, "-o", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    found = icc.read_records(tmp_path / "results")
    assert [record.checkpoint for record in found] == ["vgg-fast.pt", "vgg-slow.pt", "wrn.pt"]
    assert dict(found[2].measures) == dict(icc.measure(caches / "wrn.h5")), "to the last bit"
    assert icc.read_records([tmp_path / "results" / "wrn.measure.json"])[0] == found[2]
    (tmp_path / "results" / "wrn.measure.json").write_text("{}")
    with pytest.raises(icc.IccError, match=r"wrn\.measure\.json"):
        icc.read_records(tmp_path / "results")
    with pytest.raises(icc.IccError, match="nowhere"):
        icc.read_records("nowhere")
