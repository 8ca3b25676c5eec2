"""The models in the order of their predicted generalization, two of them side by side, and rankings without
hyperparameters: against scipy's ranks and slow sums over pairs."""

import csv
import io
import itertools
import json
import math

import numpy as np
import pytest
from scipy.stats import rankdata

import icc_cli
from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.places import concordance, mean_places, overall_places, places
from tests.ranking.test_command import icc_rank, lines, record


def slow_tau(first, second):
    """Tau-a, a pair at a time."""
    pairs = list(itertools.combinations(range(len(first)), 2))
    return sum(np.sign(first[a] - first[b]) * np.sign(second[a] - second[b]) for a, b in pairs) / len(pairs)


def models(values, accuracy=None, **changes):
    """Records without hyperparameters, of the measures in the columns of `values`."""
    found = []
    for i, row in enumerate(values):
        metrics = {} if accuracy is None or math.isnan(accuracy[i]) else {"test_accuracy": accuracy[i]}
        measures = {f"c{k + 1}": None if math.isnan(value) else float(value) for k, value in enumerate(row)}
        found.append(record(i, {}, measures, metrics=metrics, **changes))
    return found


def text(records):
    return "".join(json.dumps(one) + "\n" for one in records)


@pytest.mark.parametrize("seed", range(6))
def test_places_are_mid_ranks_from_the_largest(seed):
    random = np.random.default_rng(seed)
    values = random.integers(0, 5, (9, 3)).astype(float)
    values[random.random(values.shape) < 0.2] = math.nan
    found = places(values)
    for column, own in zip(values.T, found.T, strict=True):
        known = ~np.isnan(column)
        assert own[known].tolist() == rankdata(-column[known]).tolist()
        assert np.isnan(own[~known]).all()


def test_the_mean_is_of_the_places_and_knowing_few_models_makes_none_better():
    placed = np.array([[1, 2], [2, 1], [3, 4], [4, 3], [5, 5]], float)
    assert mean_places(placed).tolist() == placed.mean(axis=1).tolist()
    assert overall_places(mean_places(placed)) == [1, 1, 3, 3, 5]
    alone = np.array([[1, math.nan], [2, math.nan], [3, 1], [4, math.nan], [5, math.nan], [math.nan, math.nan]])
    mean = mean_places(alone)
    assert mean[0] < mean[1] < mean[2] < mean[3], "the only model of a measure is in its middle, not its best"
    assert mean[0] == 0.5 * 6 / 5 + 0.5 and mean[2] == ((2.5 * 6 / 5 + 0.5) + (0.5 * 6 / 1 + 0.5)) / 2
    assert overall_places(mean) == [1, 2, 3, 4, 5, None]


@pytest.mark.parametrize("ties", [False, True])
def test_concordance_is_kendalls(ties):
    """W = (1 + (K - 1) mean of Spearman's rho over pairs of measures), over K; ties corrected in each rho."""
    random = np.random.default_rng(1)
    values = random.integers(0, 4 if ties else 10**6, (12, 4)).astype(float)
    found = concordance(places(values))
    ranks = np.array([rankdata(column) for column in values.T])
    if not ties:
        rho = [np.corrcoef(a, b)[0, 1] for a, b in itertools.combinations(ranks, 2)]
        assert found == pytest.approx((1 + 3 * np.mean(rho)) / 4)
    sums = ranks.sum(axis=0)
    same = sum(float(n**3 - n) for column in values.T for n in np.unique(column, return_counts=True)[1])
    assert found == pytest.approx((12 * np.sum(sums**2) - 3 * 16 * 12 * 13**2) / (16 * 12 * (144 - 1) - 4 * same)), (
        "Legendre's form"
    )


def test_concordance_at_its_ends():
    line = np.arange(5.0)
    assert concordance(places(np.stack([line, line, line], axis=1))) == pytest.approx(1)
    assert concordance(places(np.stack([line, -line], axis=1))) == pytest.approx(0)
    assert concordance(places(line[:, None])) is None
    assert concordance(places(np.ones((5, 2)))) is None
    assert concordance(places(np.array([[1.0, math.nan], [math.nan, 2.0], [3.0, 4.0]]))) is None


def test_the_order_needs_neither_hyperparameters_nor_accuracies():
    values = [[3, 1], [1, 3], [4, 4], [2, 2]]
    done = icc_rank("-", "--checkpoints", stdin=text(models(values)))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["checkpoint"], row["place"], row["mean_place"]) for row in rows] == [
        ("m2.pt", 1, 1.0),
        ("m0.pt", 2, 3.0),
        ("m1.pt", 2, 3.0),
        ("m3.pt", 2, 3.0),
    ]
    assert rows[0]["places"] == {"c1": 1, "c2": 1} and rows[0]["metrics"] == {}
    assert list(rows[0]) == ["checkpoint", "place", "mean_place", "agreement", "places", "metrics"]
    assert "no model has a test_accuracy" in done.stderr and "Kendall's W" in done.stderr


def test_direction_turns_the_order_and_the_target_says_which_way_is_best():
    rows = [record(i, {}, {"c3": i, "inv_sigma": i}, metrics={"test_accuracy": i / 9}) for i in range(4)]
    best = {
        arguments: lines(icc_rank("-", "--checkpoints", *arguments, stdin=text(rows)))[0]["checkpoint"]
        for arguments in (
            ("--by", "c3"),
            ("--by", "inv_sigma"),
            ("--by", "c3", "--direction", "c3=-1"),
            ("--by", "c3", "--target", "generalization_gap"),
            ("--by", "inv_sigma", "--target", "generalization_gap"),
        )
    }
    assert list(best.values()) == ["m3.pt", "m0.pt", "m0.pt", "m3.pt", "m0.pt"]
    both = lines(icc_rank("-", "--checkpoints", "--by", "c3,inv_sigma", stdin=text(rows)))
    assert {row["mean_place"] for row in both} == {2.5} and both[0]["agreement"] == 0


def test_what_the_order_has_been_worth_is_tau_with_the_known_accuracies():
    random = np.random.default_rng(2)
    values, accuracy = random.random((14, 2)), random.random(14)
    accuracy[3] = math.nan
    ranking = icc_cli.rank(models(values, accuracy), checkpoints=True)
    assert len(ranking) == 14 and ranking["m3.pt"]["metrics"] == {"test_accuracy": None}
    mean = np.mean([rankdata(-column) for column in values.T], axis=0)
    known = ~np.isnan(accuracy)
    tau = f"{slow_tau(-mean[known], accuracy[known]):.2f}".replace("0.", ".")
    (worth,) = [line for line in ranking.said if "tau-a" in line]
    assert f"is {tau} over the 13 of 14 models" in worth
    assert "little follows" not in worth
    assert worth in str(ranking).replace("\n", " ")
    few = icc_cli.rank(models(values[:5], accuracy[:5]), checkpoints=True)
    assert any("little follows" in line for line in few.said)


def test_the_worth_of_an_order_is_of_the_better_models_first_whatever_the_target():
    rows = [record(i, {}, {"c3": i}, metrics={"train_accuracy": 1.0, "test_accuracy": i / 9}) for i in range(4)]
    for target in ("test_accuracy", "generalization_gap"):
        (worth,) = icc_cli.rank(rows, target=target, checkpoints=True).said
        assert f"tau-a with {target} is 1.00 over the 4 models" in worth


def test_a_measure_of_one_value_says_nothing_of_how_far_the_others_agree():
    rows = models([[1, 2, 7], [2, 4, 7], [3, 5, 7]])
    ranking = icc_cli.rank(rows, checkpoints=True)
    assert ranking[0]["agreement"] == 1 and any("orders nothing: c3" in note for note in ranking.notes)


def test_a_sign_that_nobody_fixed_decides_no_pair():
    rows = [record(i, {}, {"cdnv": float(i)}) for i in range(2)]
    assert icc_cli.rank(rows, pair=("m0.pt", "m1.pt"))["cdnv"]["better"] is None
    assert icc_cli.rank(rows, pair=("m0.pt", "m1.pt"), directions={"cdnv": -1})["cdnv"]["better"] == "m0.pt"
    assert any("not fixed beforehand" in note for note in icc_cli.rank(rows, checkpoints=True).notes)


def test_missing_values_are_said_and_no_model_is_dropped():
    nan = math.nan
    done = icc_rank(
        "-",
        "--checkpoints",
        stdin=text(models([[1, 5, 1], [2, nan, 1], [3, nan, 1], [nan, nan, nan]], [0.5, nan, 1, 1])),
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["checkpoint"] for row in rows} == {f"m{i}.pt" for i in range(4)}
    assert rows[-1]["place"] is None and rows[-1]["places"] == {"c1": None, "c2": None, "c3": None}
    for words in ("c1 (1), c2 (3), c3 (1)", "no place: m3.pt", "orders nothing: c2, c3"):
        assert words in done.stderr
    empty = icc_rank("-", "--checkpoints", stdin=text(models([[1, nan], [2, nan]])))
    assert (
        list(lines(empty)[0]["places"]) == ["c1"] and "no model has a value, so it orders nothing: c2" in empty.stderr
    )


def test_every_format_has_the_order(tmp_path):
    rows = text(models([[3, 1], [1, 3], [4, 4], [2, 2]], [0.5, 0.25, 0.75, 0.5]))
    table = icc_rank("-", "--checkpoints", "--format", "table", stdin=rows).stdout
    assert (
        table.index("m2.pt") < table.index("m0.pt") and "Kendall's W" in table and "tau-a with test_accuracy" in table
    )
    cells = list(csv.DictReader(io.StringIO(icc_rank("-", "--checkpoints", "--format", "csv", stdin=rows).stdout)))
    assert cells[0]["checkpoint"] == "m2.pt" and cells[0]["place.c1"] == "1" and cells[0]["test_accuracy"] == "0.75"
    markdown = icc_rank("-", "--checkpoints", "--format", "markdown", stdin=rows).stdout
    assert "| m2.pt | 1 | 1.0 | 0.75 | 1 | 1 |" in markdown and "Kendall's W" in markdown
    latex = icc_rank("-", "--checkpoints", "--format", "latex", stdin=rows).stdout
    assert r"m2.pt & 1 & 1.0 & 0.75 & 1 & 1 \\" in latex and "$c_1$" in latex
    assert all(line.startswith("%") for line in latex.splitlines() if "Kendall" in line)
    path = tmp_path / "order.json"
    icc_rank("-", "--checkpoints", "-o", path, stdin=rows)
    assert json.loads(path.read_text())[0]["checkpoint"] == "m2.pt"
    assert "<td>m2.pt</td>" in icc_cli.rank(models([[3], [1], [4]]), checkpoints=True)._repr_html_()


def test_a_pair_is_compared_measure_by_measure():
    rows = [
        record(i, {}, {"c1": c1, "c2": 0.5, "c4": c4, "inv_sigma": c1}, metrics={"test_accuracy": 0.5 + i / 10})
        for i, (c1, c4) in enumerate([(1.0, 2.0), (3.0, 1.0), (5.0, None)])
    ]
    done = icc_rank("-", "--pair", "m0", "some/where/m1.pt", stdin=text(rows))
    found = {row["measure"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {name: row["better"] for name, row in found.items()} == {
        "c1": "m1.pt",
        "c2": None,
        "c4": "m0.pt",
        "inv_sigma": "m0.pt",
    }
    assert found["c1"]["values"] == [1.0, 3.0] and found["c1"]["difference"] == -2.0
    assert "2 of 4 measures say that m0.pt generalizes better, 1 that m1.pt does." in done.stderr
    assert "test_accuracy: 0.5 and 0.6." in done.stderr
    turned = icc_cli.rank(rows, pair=("m1.pt", "m0.pt"), measures=["c1"])
    assert turned["c1"]["difference"] == 2.0 and turned["c1"]["better"] == "m1.pt"
    assert icc_cli.rank(rows, pair=("m0.pt", "m2.pt"))["c4"]["better"] is None
    for form in ("table", "markdown", "latex", "csv"):
        assert "m1.pt" in icc_rank("-", "--pair", "m0.pt", "m1.pt", "--format", form, stdin=text(rows)).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pair", "m0.pt", "m9.pt"), "no checkpoint 'm9.pt'"),
        (("--pair", "m0.pt", "m0"), "twice"),
        (("--by", "c1"), "--checkpoints"),
        (("--checkpoints", "--by", "c1", "--measures", "c1"), "one of them"),
        (("--checkpoints", "--by", "c9"), "no column 'c9'"),
        (("--checkpoints", "--versus", "c1"), "--versus does not go with --checkpoints"),
        (("--checkpoints", "--score", "cmi"), "--score does not go with --checkpoints"),
    ],
)
def test_what_does_not_go_is_said(arguments, words):
    done = icc_rank("-", *arguments, stdin=text(models([[1], [2]])))
    assert done.returncode == 2 and words in done.stderr and done.stdout == ""


def test_one_model_has_no_order():
    with pytest.raises(FormatError, match="one model"):
        icc_cli.rank(models([[1]]), checkpoints=True)
    with pytest.raises(UsageError, match="no model has a value of c1"):
        icc_cli.rank(models([[math.nan], [math.nan]]), checkpoints=True)


def test_without_hyperparameters_there_is_tau_over_all_pairs():
    random = np.random.default_rng(3)
    values, accuracy = random.random((9, 2)), random.random(9)
    done = icc_rank("-", stdin=text(models(values, accuracy)))
    for k, row in enumerate(lines(done)):
        assert row["tau"] == pytest.approx(slow_tau(values[:, k], accuracy))
        assert row["Psi"] is None and row["p"] is None and row["axes"] == {} and row["models"] == 9
    assert "needs groups" in done.stderr and "replicates" not in done.stderr
    table = "acc,m\n" + "".join(f"{a},{v}\n" for a, v in zip(accuracy, values[:, 0], strict=True))
    (row,) = lines(icc_rank("-", "--target", "acc", "--measures", "m", stdin=table))
    assert row["tau"] == pytest.approx(slow_tau(values[:, 0], accuracy)) and row["Psi"] is None


def of_models(specs, hparams=None):
    values = np.arange(len(specs), dtype=float)
    return [
        {**one, "model": {"spec": spec, "args": {}}, "hparams": (hparams or [{}] * len(specs))[i]}
        for i, (one, spec) in enumerate(zip(models(values[:, None], values / 10), specs, strict=True))
    ]


def test_architectures_that_were_trained_alike_are_one_set_with_the_model_as_hyperparameter():
    four = [f"nets.py:resnet{depth}" for depth in (8, 14, 20, 26)]
    (row,) = lines(icc_rank("-", stdin=text(of_models(four))))
    assert row["axes"]["model"]["pairs"] == 6 and row["Psi"] == row["tau"] == 1
    named = of_models(four, [{"arch": spec} for spec in four])
    assert list(lines(icc_rank("-", stdin=text(named)))[0]["axes"]) == ["arch"], "run metadata say it already"
    two = of_models(["a.py:net", "b.py:net"])
    assert lines(icc_rank("-", stdin=text(two)))[0]["axes"]["model"]["groups"] == 1, "one short name, two models"


def test_arguments_of_the_model_are_hyperparameters_and_no_training():
    rows = of_models(["nets.py:resnet", "nets.py:resnet", "nets.py:wide"], [{"depth": 8}, {"depth": 14}, {"depth": 8}])
    for row in rows:
        row["model"]["args"] = dict(row["hparams"])
    (row,) = lines(icc_rank("-", stdin=text(rows)))
    assert {name: cell["groups"] for name, cell in row["axes"].items()} == {"depth": 1, "model": 1}


def test_models_of_one_architecture_are_no_replicates_unless_something_says_so():
    pairs = ["nets.py:a", "nets.py:a", "nets.py:b", "nets.py:b"]
    (row,) = lines(icc_rank("-", stdin=text(of_models(pairs))))
    assert row["models"] == 4 and row["axes"] == {} and row["tau"] == 1
    seeds = of_models(pairs, [{"seed": i % 2} for i in range(4)])
    (row,) = lines(icc_rank("-", stdin=text(seeds)))
    assert row["axes"]["model"] | {"interval": None} == {
        "psi": 1.0,
        "interval": None,
        "groups": 2,
        "pairs": 2,
        "ties": 0,
    }


def test_architectures_with_grids_of_their_own_stay_apart_and_a_lone_model_is_passed_over():
    grid = [{"lr": lr} for lr in (1, 2, 3)]
    both = of_models(["vgg"] * 3 + ["wrn"] * 3, grid + grid)
    assert [row["set"] for row in lines(icc_rank("-", stdin=text(both)))] == ["vgg on digits", "wrn on digits"]
    pooled = lines(icc_rank("-", "--pool", stdin=text(both)))
    assert list(pooled[0]["axes"]) == ["lr", "model"] and pooled[0]["axes"]["lr"]["groups"] == 2
    alone = of_models(["vgg"] * 3 + ["wrn"], [*grid, {}])
    for option in ((), ("--checkpoints",)):
        done = icc_rank("-", *option, stdin=text(alone))
        assert done.returncode == 0 and "wrn on digits is not ranked: there is one model" in done.stderr
        assert len(lines(done)) == (3 if option else 1)
