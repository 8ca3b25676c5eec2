"""Which measures a name stands for, and the controls that a network has by itself."""

import hashlib
import math
from statistics import NormalDist

import numpy as np
import pytest

from icc_cli import catalog
from icc_cli.errors import UsageError
from icc_cli.measures.chosen import ALL, choose
from icc_cli.measures.declare import Measure
from icc_cli.measures.groups import class_groups
from icc_cli.measures.network import measure_sites
from icc_cli.measures.options import Options
from icc_cli.measures.site import ArraySite
from icc_cli.measures.whole import Beside, Given, Network

SHARPNESS = set(catalog.GROUPS["sharpness"])


def names(*wanted):
    return [one.measure.name for one in choose(wanted)]


def test_groups_names_and_each_once():
    assert names("c2", "paper") == ["c2", "c1", "c3", "c4"]
    assert names(ALL) == [name for group in catalog.GROUPS.values() for name in group if name not in SHARPNESS]
    assert all(names(group) == list(catalog.GROUPS[group]) for group in catalog.GROUPS if group != "sharpness")


@pytest.mark.parametrize("name", ["sharpness", "inv_sigma"])
def test_sharpness_is_not_taken_from_activations(name):
    with pytest.raises(UsageError, match="inv_sigma is not taken from activations") as raised:
        choose([name])
    assert "icc sharpness" in raised.value.hint


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(UsageError, match="unknown measure 'papr'") as raised:
        choose(["papr"])
    assert "paper, geometry" in raised.value.hint and "sharpness" not in raised.value.hint


def test_nothing_is_no_choice():
    with pytest.raises(UsageError, match="no measure is named"):
        choose([])


def test_two_measures_of_one_name(tmp_path):
    ours = Measure("mine", lambda view: 1.0, over="sites", groups="none")
    other = Measure("mine", lambda view: 2.0, over="sites", groups="none")
    assert names(ours, ours) == ["mine"]
    with pytest.raises(UsageError, match="two measures named 'mine'"):
        choose([ours, other])
    file = tmp_path / "mine.py"
    file.write_text("from icc_cli import Measure\nC1 = Measure('c1', lambda view: 1.0, over='sites', groups='none')\n")
    with pytest.raises(UsageError, match="two measures named 'c1'"):
        choose([f"{file}:C1"])


def test_what_the_numbers_depend_on(tmp_path):
    declared = "from icc_cli import Measure\nMINE = Measure('m', lambda view: 1.0, over='sites', version={})\n"
    (tmp_path / "a.py").write_text(declared.format(1))
    (tmp_path / "b.py").write_text(declared.format(3))
    found = [choose([f"{tmp_path / name}.py:MINE"])[0].identity for name in "ab"]
    assert [identity[:2] for identity in found] == [("m", 1), ("m", 3)] and found[0][2] != found[1][2]
    assert choose(["c1"])[0].identity == ("c1", choose(["c1"])[0].measure.version, "")


def test_a_measure_of_a_file_reduces_its_own_way_and_finds_what_lies_beside_it(tmp_path):
    (tmp_path / "beside.py").write_text("TEN = 10\n")
    (tmp_path / "mine.py").write_text(
        "from icc_cli import Measure\n"
        "def last(values):\n    import beside\n    return beside.TEN * values[-1]\n"
        "LAST = Measure('last', lambda view: view.shape[1], over='sites', groups='none', reduce=last)\n"
    )
    (last,) = choose([f"{tmp_path / 'mine.py'}:LAST"])
    sites = [ArraySite(str(n), np.ones((4, n))) for n in (5, 3)]
    found = measure_sites(Given(sites, np.array([0, 0, 1, 1])), [last.measure], Options())
    assert found["last"] == 30


def control(name, beside=None, widths=(5, 3, 4)):
    labels = np.array([0, 0, 1, 1])
    network = Network(labels, class_groups(labels, None), list(widths), beside or Beside())
    return catalog.find(name).scores(network)


def test_controls_of_the_sites():
    assert control("sites") == 3 and control("neurons") == 12


def test_random_is_the_quantile_of_a_digest_and_needs_a_name():
    for identity in ("a", "b" * 64):
        share = (int(hashlib.sha256(identity.encode()).hexdigest()[:12], 16) + 0.5) / 2**48
        assert NormalDist().cdf(control("random", Beside(identity=identity))) == pytest.approx(share, rel=1e-12)
    with pytest.raises(Exception, match="no name to draw it from"):
        control("random")


def test_random_is_standard_normal():
    values = [control("random", Beside(identity=str(number))) for number in range(2000)]
    assert abs(np.mean(values)) < 4 / math.sqrt(2000) and abs(np.std(values) - 1) < 4 / math.sqrt(4000)


def test_the_train_loss_is_as_counted_or_else_from_the_logits():
    logits = ArraySite("logits", np.array([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]))
    of_logits = (2 * math.log(2) + math.log1p(math.exp(2)) + math.log1p(math.exp(-2))) / 4
    assert control("train_loss", Beside(logits=logits)) == pytest.approx(of_logits, rel=1e-12)
    assert control("train_loss", Beside(logits=logits, metrics={"train_loss": 0.25})) == 0.25


def test_directions_of_the_controls():
    directions = {name: catalog.find(name).with_accuracy for name in catalog.GROUPS["controls"]}
    assert directions == {**dict.fromkeys(catalog.GROUPS["controls"], 0), "train_loss": -1}
