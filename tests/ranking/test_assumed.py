"""What is read from names and spellings is said, and is what it should be."""

import math
import re

import numpy as np
import pytest

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.rank import rank
from icc_cli.ranking.student import quantile
from icc_cli.ranking.table import ModelTable, is_seed
from icc_cli.ranking.units import in_fractions
from icc_cli.ranking.values import codes, copies_of
from tests.ranking.test_cases import assert_row, icc_rank, one, refused
from tests.ranking.test_exports import GOAL, GRID, write

NAMES = ("lr", "bs", "opt")
OPTIONS = ("--hparams", "lr,bs,opt", "--target", "acc", "--measures")
MEASURE = [3, 1, 4, 1.5, 9, 2, 6, 5]


def grid(**columns):
    """The rows of the grid with a measure, a target and some columns more."""
    plain = [
        {**dict(zip(NAMES, run, strict=True)), "m": m, "acc": goal}
        for run, m, goal in zip(GRID, MEASURE, GOAL, strict=True)
    ]
    return [row | {name: cells[i] for name, cells in columns.items()} for i, row in enumerate(plain)]


@pytest.mark.parametrize(
    ("levels", "copies"),
    [
        ((0.1, 0.10000000149011612), {0.10000000149011612: 0.1}),
        ((0.1, 0.10000000149), {0.10000000149: 0.1}),
        ((1e-3, 0.0010000000475), {0.0010000000475: 1e-3}),
        ((0.3, 0.1 * 3), {0.1 * 3: 0.3}),
        ((1, 1.0000000000000002), {1.0000000000000002: 1}),
        ((0.1, 0.1000001), {}),
        ((1.0, 0.99999999), {}),
        ((9.242808, 9.2428083), {}),
        ((0.999999999, 0.9999999999, 1.0), {}),
        ((0.10000000149011612, 0.01), {}),
        ((2**53, 2**53 + 1), {}),
        ((5e-324, 0.0, math.inf, 1e300), {}),
    ],
)
def test_copies_in_other_digits(levels, copies):
    assert copies_of(levels) == copies
    assert len(set(codes(levels))) == len(levels) - len(copies)


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("seed", True), ("Seed", True), ("random_state", True), ("trainer.manual_seed", True), ("a/rng-seed", True),
        ("seeds", False), ("trial", False), ("data_seed", False), ("lr", False), ("seed.lr", False),
    ],
)  # fmt: skip
def test_names_of_seeds(name, yes):
    assert is_seed(name) == yes


@pytest.mark.parametrize("name", ["random_state", "Seed", "seed"])
@pytest.mark.parametrize("named", [True, False])
def test_a_seed_under_another_name_is_no_axis(name, named, tmp_path):
    """Two seeds of each configuration: models are compared within one, whether --hparams names it or not."""
    rows = [row | {name: seed, "m": row["m"] * (1 - 2 * seed)} for seed in (0, 1) for row in grid()]
    names = (*NAMES, name) if named else NAMES
    path = write(tmp_path / "t.csv", rows)
    row, said = one(path, "--hparams", ",".join(names), *OPTIONS[2:], "m")
    assert list(row["axes"]) == list(NAMES) and row["models"] == 16
    assert all(cell["psi"] == pytest.approx(0) for cell in row["axes"].values()), "either seed undoes the other"
    assert ("is taken as the seed" in said) == (name != "seed")


def test_options_that_do_nothing(tmp_path):
    path = write(tmp_path / "t.csv", grid(val_acc=[0.9, *range(60, 67)], train_acc=[1] * 8))
    assert "--seeds within needs a seed" in refused(path, *OPTIONS, "m", "--seeds", "within")
    assert "'acc' is named as a hyperparameter, and is the target" in refused(
        path, "--hparams", "lr,acc", *OPTIONS[2:], "m"
    )
    assert "'m' is named as a hyperparameter, and is ranked" in refused(path, "--hparams", "lr,m", *OPTIONS[2:], "m")
    assert "Did you mean 'bs'? The axes are lr, bs" in refused(path, *OPTIONS, "m", "--explain", "m:bss")
    assert "Did you mean 'train_acc'" in refused(path, *OPTIONS, "m", "--min-train-accuracy", "0.9")
    for options in (("val_acc",), ("m", "--given", "val_acc")):
        assert "val_acc mixes fractions and per cents" in refused(path, *OPTIONS, *options, code=4)


def test_a_pattern_passes_over_hyperparameters(tmp_path):
    """They may be words, and are no measures."""
    row, _ = one(write(tmp_path / "t.csv", grid(seed=[0] * 8)), *OPTIONS, "*")
    assert_row(row, dict(zip(NAMES, zip(*GRID, strict=True), strict=True)), MEASURE, GOAL)


ACCURACIES = ("val_acc", "top-1", "Prec@1", "top1_val", "hit@1", "mIoU", "val/auroc", "exact_match", "mAP", "dev_em")


@pytest.mark.parametrize(
    ("name", "values", "part"),
    [
        *((name, (20.0, 90.0), 0.01) for name in ACCURACIES),
        *((name, (0.5, 1.2), 1) for name in (*ACCURACIES, "test_err")),
        ("test_err_pct", (0.5, 1.2), 0.01),
        ("error (%)", (0.5, 1.2), 0.01),
        ("architecture", (20.0, 90.0), 1),
        ("train_loss", (2.0, 9.0), 1),
        ("top10", (20.0, 90.0), 1),
    ],
)
def test_units_by_name_and_value(name, values, part):
    table = ModelTable(("a", "b"), {}, (name,), np.array(values)[:, None])
    found, told = in_fractions(table, name)
    np.testing.assert_allclose(found.column(name), np.array(values) * part)
    assert bool(told) == (part != 1)


@pytest.mark.parametrize("name", ACCURACIES)
def test_mixtures_under_any_name(name):
    table = ModelTable(("a", "b"), {}, (name,), np.array([[0.9], [90.0]]))
    with pytest.raises(FormatError, match="mixes fractions and per cents"):
        in_fractions(table, name)


def test_what_options_cannot_be():
    """In Python as on the command line; a confidence of 95 once had no end."""
    for options, said in (
        ({"confidence": 95}, "--confidence 95 is not from 0.5"),
        ({"convention": "papr"}, "neither paper nor reference"),
        ({"interval": "both"}, "neither across nor within"),
        ({"seeds": "wthin"}, "none of auto, within, average"),
        ({"directions": {"m": 3}}, "expected 1 or -1"),
        ({"min_train_accuracy": 93}, "not between 0 and 1"),
        ({"given": "random", "confidence": 0.9}, "--given has no intervals"),
        ({"explain": "m:lr", "interval": "within"}, "--explain has no intervals"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            rank(grid(), "acc", measures=["m"], hparams=list(NAMES), **options)
    assert np.isnan(quantile(np.array([4.0]), 48.0)).all()


def test_a_sign_that_is_open_is_said_in_every_format(tmp_path):
    path = write(tmp_path / "t.csv", grid(weight_norm=MEASURE))
    for form in ("table", "json", "csv", "markdown", "latex"):
        for measure in ("m", "weight_norm"):
            done = icc_rank(path, *OPTIONS, measure, "--format", form)
            assert ("not fixed beforehand" in done.out) == (measure == "weight_norm"), form
    assert "both signs" in refused(path, *OPTIONS, "m", "--direction", "m=1", "--direction", "m=-1")
