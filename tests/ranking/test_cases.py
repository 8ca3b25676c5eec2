"""Small tables and exports as people have them: each gives the right value, worked out here from the file, or one
sentence."""

import csv
import gzip
import itertools
import json
import math
import re
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from icc_cli.cli import app
from icc_cli.ranking.rank import rank
from tests.conftest import ROOT
from tests.ranking.oracle import axis_value, close
from tests.ranking.test_uncertainty import by_loops

CASES = ROOT / "tests" / "ranking" / "cases"
BASE = ("--hparams", "lr,bs,opt", "--target", "gen_gap", "--measures", "m")


def icc_rank(*arguments, stdin=None, controls=False):
    extra = [] if controls else ["--no-controls"]
    done = CliRunner().invoke(app, ["rank", *map(str, arguments), *extra], input=stdin)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    return SimpleNamespace(code=done.exit_code, rows=rows, out=done.stdout, err=done.stderr)


def one(*arguments, **options):
    """The row of the one measure that is ranked, and what was said."""
    done = icc_rank(*arguments, **options)
    assert done.code == 0, done.err
    (row,) = done.rows
    return row, done.err


def refused(*arguments, code=2):
    """The one sentence, and the one on what to do, of a refusal."""
    done = icc_rank(*arguments)
    assert done.code == code and done.out == "", done.err
    (line,) = [line for line in done.err.splitlines() if "error:" in line]
    return line


def number(text):
    return float(text) if text.strip().lower() not in ("", "nan", "none", "null", "-", "n/a") else math.nan


def table(name, hparams, *columns):
    """The hyperparameters of a file by name, as text, and columns of numbers."""
    with (CASES / name).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {h: tuple(row[h] for row in rows) for h in hparams}, [[number(row[c]) for row in rows] for c in columns]


def by_hand(hparams, measure, target, direction=1):
    """psi of each axis and Psi, by loops."""
    signed = [direction * value for value in measure]
    psis = {axis: axis_value(hparams, axis, signed, target)[0] for axis in hparams if len(set(hparams[axis])) > 1}
    known = [psi for psi in psis.values() if psi is not None]
    return psis, statistics.fmean(known) if known else None


def assert_row(row, hparams, measure, target, direction=1):
    psis, total = by_hand(hparams, measure, target, direction)
    assert row["direction"] == direction
    assert list(row["axes"]) == list(psis)
    for axis, psi in psis.items():
        assert close(row["axes"][axis]["psi"], psi)
    assert close(row["Psi"], total)


def test_a_lead_is_of_the_models_that_both_have():
    hparams, (a, b, goal) = table("missing_versus.csv", ("lr", "bs", "opt", "wd"), "a", "b", "test_accuracy")
    options = ("--hparams", "lr,bs,opt,wd", "--measures", "a,b")
    row, said = one(CASES / "missing_versus.csv", *options, "--versus", "b")
    both = [i for i in range(24) if not math.isnan(a[i])]
    assert len(both) == 12 and all(a[i] == b[i] for i in both)
    assert row["models"] == 12 and row["Psi"] == 0 and row["Psi_interval"] == [0, 0] and row["p"] == 1
    assert row["axes"]["opt"]["difference"] is None, "b varies along it, a does not"
    assert "equal to b in every model: a" in said
    done = icc_rank(CASES / "missing_versus.csv", *options)
    assert [row["models"] for row in done.rows] == [12, 24] and "--common" in done.err
    common = icc_rank(CASES / "missing_versus.csv", *options, "--common")
    kept = {name: tuple(cells[i] for i in both) for name, cells in hparams.items()}
    assert common.rows[0]["Psi"] == common.rows[1]["Psi"]
    for row in common.rows:
        assert_row(row, kept, [a[i] for i in both], [goal[i] for i in both])


def test_per_cents_are_no_fractions():
    """With accuracies as fractions no environment of 15 seeds differs enough for 3,276 samples."""
    hparams, (goal,) = table("percent_accuracy.csv", ("lr", "weight_decay"), "test_accuracy")
    kept = 0
    models = {}
    for i in range(len(goal)):
        models.setdefault((hparams["lr"][i], hparams["weight_decay"][i]), []).append(i)
    for one_of, other in itertools.combinations(models, 2):
        if sum(x != y for x, y in zip(one_of, other, strict=True)) == 1:
            weights = []
            for i, j in itertools.product(models[one_of], models[other]):
                apart = (goal[i] - goal[j]) / 100
                weights.append(max(0, max(0, 1 - 2 * math.exp(-2 * 3276 * (apart / 2) ** 2)) ** 2 - 0.5))
            kept += sum(weights) ** 2 >= 12 * sum(w * w for w in weights) > 0
    options = ("--hparams", "lr,weight_decay", "--measures", "val_f1", "--score", "sign-error", "--test-samples", 3276)
    row, said = one(CASES / "percent_accuracy.csv", *options)
    assert row["environments"] == kept == 0 and row["dropped"] == 18
    assert "test_accuracy is in per cent" in said
    options = ("--hparams", "lr,weight_decay", "--measures", "val_f1", "--min-train-accuracy", 0.965)
    (fitted,) = table("percent_accuracy.csv", (), "train_accuracy")[1]
    done = icc_rank(CASES / "percent_accuracy.csv", *options)
    under = sum(value < 96.5 for value in fitted)
    assert under > 0 and f"{under} of {len(fitted)} models have a train accuracy under 0.965" in done.err


def test_an_axis_is_what_varies():
    """Three runs of each configuration are one model; depth and size change together, so that lr alone is an axis."""
    hparams, (measure, goal) = table("replicates_collinear.csv", ("depth", "params_m", "lr"), "m", "test_accuracy")
    runs = {}
    for i in range(18):
        runs.setdefault(tuple(cells[i] for cells in hparams.values()), []).append(i)
    assert [len(members) for members in runs.values()] == [3] * 6
    means = [[statistics.fmean(x[i] for i in members) for members in runs.values()] for x in (measure, goal)]
    columns = dict(zip(hparams, zip(*runs, strict=True), strict=True))
    row, said = one(CASES / "replicates_collinear.csv", "--hparams", "depth,params_m,lr", "--measures", "m")
    assert_row(row, columns, *means)
    assert row["Psi"] == 1.0 and row["models"] == 6
    assert "12 replicates are averaged" in said and "left out of Psi: depth, params_m" in said


def test_a_seed_of_every_run_separates_nothing():
    hparams, (measure, goal) = table("seed_per_run.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    row, said = one(CASES / "seed_per_run.csv", *BASE)
    assert_row(row, hparams, measure, goal)
    assert row["models"] == 8 and "seeds do not repeat" in said


@pytest.mark.parametrize("target", ["train_loss", "val_loss", "top1_err"])
def test_a_target_to_be_small_turns_what_goes_with_accuracy(target):
    records = [json.loads(line) for line in (CASES / "records_loss_targets.jsonl").read_text().splitlines()]
    hparams = {name: tuple(record["hparams"][name] for record in records) for name in ("lr", "bs", "opt")}
    measure = [record["measures"]["c1"] for record in records]
    goal = [record["metrics"][target] for record in records]
    row, said = one(CASES / "records_loss_targets.jsonl", "--target", target, "--measures", "c1")
    assert_row(row, hparams, measure, goal, direction=-1)
    assert f"smaller {target} is better" in said


def test_bounds_stay_within_one():
    names = ("a", "b", "c", "d", "e")
    hparams, (measure, goal) = table("psi_over_one.csv", names, "m", "test_accuracy")
    row, said = one(CASES / "psi_over_one.csv", "--hparams", ",".join(names), "--measures", "m", "--bootstrap", 1000)
    assert_row(row, hparams, measure, goal)
    psis, _, _, _, across = by_loops({**hparams, "seed": (0,) * 48}, np.array(measure), np.array(goal))
    half = 2.7764451051977987 * across  # Student's t of 4 degrees of freedom
    total = statistics.fmean(psis)
    assert total + half > 1
    assert row["Psi_interval"] == pytest.approx([total - half, 1.0])
    assert row["interval"] == "across studies" and "--bootstrap" in said
    assert all(-1 <= low <= high <= 1 for low, high in (cell["interval"] for cell in row["axes"].values()))


def test_options_that_name_nothing():
    base = CASES / "base.csv"
    assert "'mm', which is not ranked. Did you mean 'm'?" in refused(base, *BASE, "--direction", "mm=-1")
    said = refused(base, *BASE[:4], "--measures", "mm")
    assert "no column 'mm'" in said and "Did you mean 'm'?" in said and "gen_gap, lr, bs, opt" in said
    assert "too few" in refused(base, *BASE, "--bootstrap", 1)
    assert "cannot write a ranking to out.pdf" in refused(base, *BASE, "-o", "out.pdf")
    assert "is the target itself" in refused(base, *BASE, "--given", "gen_gap")
    assert "Did you mean 'lr'" in refused(base, "--hparams", "lr2,bs", *BASE[2:])
    assert "Did you mean 'gen_gap'" in refused(base, *BASE[:2], "--target", "gengap", *BASE[4:])
    assert "Did you mean 'cmi'" in refused(base, *BASE, "--score", "cm")
    assert "Did you mean 'm'" in refused(base, *BASE, "--versus", "mm")
    assert "--versus does not go with --score pgdl" in refused(base, *BASE, "--score", "pgdl", "--versus", "m")


RECORDS = CASES / "records.jsonl"
EXPORTS = {"wandb_ui.csv": (), "wandb_checkpoint_column.csv": ("--key", "Name"), "optuna_trials.csv": ()}


def exported(name):
    """The settings and the goal in a file, in the order of the runs, and c1 of their records."""
    with (CASES / name).open() as lines:
        rows = list(csv.DictReader(lines))
    prefix = "params_" if "optuna" in name else ""
    goal = [float(row["value" if prefix else "test_accuracy"]) for row in rows]
    measures = [json.loads(line)["measures"]["c1"] for line in RECORDS.read_text().splitlines()]
    return {h: tuple(row[prefix + h] for row in rows) for h in ("lr", "bs", "opt")}, measures, goal


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_bring_settings_alone(name):
    target = ("--target", "value") if "optuna" in name else ()
    for key in ((), EXPORTS[name]):
        row, said = one(RECORDS, "--runs", CASES / name, "--measures", "c1", *target, *key)
        assert_row(row, *exported(name))
        assert "settings lr, bs, opt; results " in said
    assert "--target" in refused(RECORDS, "--runs", CASES / "optuna_trials.csv", "--measures", "c1")
    said = refused(RECORDS, "--runs", CASES / name, "--measures", "c1", "--key", "nme")
    assert "no column 'nme'" in said
    assert "--metrics: " in refused(RECORDS, "--runs", CASES / name, "--measures", "c1", *target, "--metrics", "nope")
    assert "--runs" in refused(CASES / "base.csv", *BASE, "--metrics", "m")
    assert "--join" in refused(CASES / "base.csv", *BASE, "--key", "m")
    row, _ = one(RECORDS, "--runs", CASES / name, "--measures", "c1", *target, "--hparams", "lr,bs")
    assert list(row["axes"]) == ["lr", "bs"]


def test_tables_in_any_format(tmp_path):
    hparams, (measure, goal) = table("base.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    text = (CASES / "base.csv").read_text()
    (tmp_path / "BASE.CSV").write_text(text)
    (tmp_path / "base.tsv").write_text(text.replace(",", "\t"))
    (tmp_path / "base.TSV.GZ").write_bytes(gzip.compress(text.replace(",", "\t").encode()))
    rows = [json.loads(line) for line in (CASES / "table.jsonl").read_text().splitlines()]
    (tmp_path / "list.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "table.jsonl.gz").write_bytes(gzip.compress((CASES / "table.jsonl").read_bytes()))
    files = [CASES / name for name in ("base.csv", "base.csv.gz", "table.jsonl", "pipe.csv")]
    for path in (*files, *sorted(tmp_path.iterdir())):
        row, _ = one(path, *BASE)
        assert_row(row, hparams, measure, goal)
    for name in ("base.csv", "table.jsonl", "pipe.csv"):
        row, _ = one("-", *BASE, stdin=(CASES / name).read_text())
        assert_row(row, hparams, measure, goal)


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [json.loads(line) for line in (CASES / "table.jsonl").read_text().splitlines()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    hparams, (measure, goal) = table("base.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    assert_row(one(tmp_path / "t.parquet", *BASE)[0], hparams, measure, goal)


def test_lm_eval(tmp_path):
    assert "holds one model" in refused(CASES / "lm_eval.json", "--hparams", "revision", code=4)
    for i, (revision, acc, mine) in enumerate((("a", 0.5, 3), ("b", 0.6, 1), ("c", 0.7, 2))):
        config = {"model_args": f"pretrained=x,revision={revision}"}
        results = {"piqa": {"acc,none": acc, "alias": "piqa"}, "mine": {"m,none": mine}}
        (tmp_path / f"{i}.json").write_text(json.dumps({"results": results, "config": config}))
    options = ("--hparams", "revision", "--target", "piqa/acc", "--measures", "mine/m")
    row, _ = one(*sorted(tmp_path.iterdir()), *options)
    assert row["Psi"] == pytest.approx(-1 / 3)


def test_copies_in_32_bits_are_one_value():
    hparams, (measure, goal) = table("float32_lr.csv", ("lr", "bs"), "m", "gen_gap")
    row, said = one(CASES / "float32_lr.csv", "--hparams", "lr,bs", *BASE[2:])
    short = {"0.1": "0.1", "0.10000000149011612": "0.1", "0.01": "0.01", "0.009999999776482582": "0.01"}
    assert_row(row, {**hparams, "lr": tuple(short[value] for value in hparams["lr"])}, measure, goal)
    assert "rounded or 32-bit copies" in said


def test_all_words_for_nothing_are_one():
    hparams, (measure, goal) = table("none_hp.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    pairs = {}
    for i in range(8):
        pairs.setdefault((hparams["bs"][i], hparams["opt"][i]), []).append(i)
    means = [[statistics.fmean(x[i] for i in members) for members in pairs.values()] for x in (measure, goal)]
    columns = dict(zip(("bs", "opt"), zip(*pairs, strict=True), strict=True))
    row, said = one(CASES / "none_hp.csv", *BASE)
    assert_row(row, columns, *means)
    assert "no model has a value of: lr" in said


def test_infinity_is_no_value():
    hparams, (measure, goal) = table("inf_measure.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    row, said = one(CASES / "inf_measure.csv", *BASE)
    assert_row(row, hparams, [value if math.isfinite(value) else math.nan for value in measure], goal)
    assert row["models"] == 5 and "infinite" in said and "m (3)" in said


def test_names_with_bars_and_greek():
    options = ("--hparams", "learning|rate,bs,opt <type>", "--target", "gen_gap", "--measures", "m|x & 50% μ")
    done = icc_rank(CASES / "unicode_pipe_names.csv", *options, "--format", "markdown")
    (head, _, line) = done.out.splitlines()
    cells = re.split(r"(?<!\\)\|", head)
    assert len(cells) == len(re.split(r"(?<!\\)\|", line))
    assert r" learning\|rate " in cells and r" opt \<type\> " in cells
    done = icc_rank(CASES / "unicode_pipe_names.csv", *options, "--format", "latex")
    assert r"m$|$x \& 50\% $\mu$ & " in done.out and r"learning$|$rate & bs & opt $<$type$>$" in done.out


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_papers_grid_fits_the_terminal(width, monkeypatch):
    """Nine measures and controls on eight axes: no line is wider, no cell is broken, every coefficient is there."""
    monkeypatch.setenv("COLUMNS", str(width))
    names = ("lr", "batch_size", "weight_decay", "optimizer", "dropout", "augmentation", "width", "depth")
    with (CASES / "paper_grid_192.csv").open() as lines:
        measures = next(csv.reader(lines))[10:]
    options = ("--hparams", ",".join(names), "--measures", ",".join(measures))
    rows = icc_rank(CASES / "paper_grid_192.csv", *options, controls=True).rows
    for verbose in ((), ("--verbose",)):
        done = icc_rank(CASES / "paper_grid_192.csv", *options, "--format", "table", *verbose, controls=True)
        lines = done.out.splitlines()
        assert max(map(len, lines)) <= width
        assert ("48 / 144 / 0" in done.out) == bool(verbose)
        for row in rows:
            own = " ".join(line for line in lines if line.split()[:1] == [row["measure"]])
            for value in (row["Psi"], *(cell["psi"] for cell in row["axes"].values())):
                shown = f"{value:.2f}".replace("0.", ".", 1).replace("-.00", ".00")
                assert f" {shown} " in own, (row["measure"], value)
    assert [row["measure"] for row in rows][-1] == "random"


def test_records_of_other_data_are_not_pooled(tmp_path):
    lines = (CASES / "records_loss_targets.jsonl").read_text().splitlines()
    other = [json.loads(line) for line in lines]
    for i, record in enumerate(other):
        record |= {"data": "other", "weights_sha256": f"{i:064x}", "checkpoint": f"other_{i}.pt"}
        record["measures"] = {"c1": -record["measures"]["c1"]}
    path = tmp_path / "both.jsonl"
    path.write_text("\n".join([*lines, *map(json.dumps, other)]) + "\n")
    done = icc_rank(path, "--measures", "c1")
    (alone, _), sets = one(CASES / "records_loss_targets.jsonl", "--measures", "c1"), [row["set"] for row in done.rows]
    assert sets == ["x on d", "x on other"] and "--pool" in done.err
    assert [row["Psi"] for row in done.rows] == [alone["Psi"], -alone["Psi"]]
    (pooled,) = icc_rank(path, "--measures", "c1", "--pool").rows
    assert pooled["models"] == 8, "two models of each configuration, averaged"


@pytest.mark.parametrize("seed", range(12))
def test_a_brute_force_agrees_on_awkward_tables(seed):
    """Replicates, seeds, missing and infinite values, a hyperparameter linked to another, one that is constant."""
    random = np.random.default_rng(seed)
    models = int(random.integers(20, 60))
    a, b, c = (random.integers(0, n, models).tolist() for n in (2, 3, 2))
    kind = seed % 3
    seeds = [0] * models if kind == 0 else random.integers(0, 2, models).tolist() if kind == 1 else list(range(models))
    hparams = {"a": a, "b": b, "c": c, "linked": [10 * x for x in a], "same": [1] * models}
    measure = random.integers(0, 9, models).astype(float)
    measure[random.random(models) < 0.15] = math.nan
    measure[random.random(models) < 0.1] = math.inf
    goal = random.integers(0, 9, models) / 10
    rows = [
        {**{name: cells[i] for name, cells in hparams.items()}, "seed": seeds[i], "m": measure[i], "acc": goal[i]}
        for i in range(models)
    ]
    found = rank(rows, "acc", measures=["m"], hparams=list(hparams), controls=False)["m"]
    merged = {}
    crossed = 2 * len({(a[i], b[i], c[i], seeds[i]) for i in range(models)}) > len(
        {(a[i], b[i], c[i]) for i in range(models)}
    ) * len(set(seeds))
    for i in range(models):
        merged.setdefault((a[i], b[i], c[i], seeds[i] if crossed else 0), []).append(i)
    values, goals = [], []
    for members in merged.values():
        known = [measure[i] for i in members if math.isfinite(measure[i])]
        values.append(statistics.fmean(known) if known else math.nan)
        goals.append(statistics.fmean(goal[i] for i in members))
    columns = dict(zip(("a", "b", "c", "seed"), zip(*merged, strict=True), strict=True))
    columns["linked"] = tuple(10 * x for x in columns["a"])
    psis = {axis: axis_value(columns, axis, values, goals)[0] for axis in ("a", "b", "c", "linked")}
    assert list(found["axes"]) == list(psis)
    for axis, psi in psis.items():
        assert close(found["axes"][axis]["psi"], psi), axis
    known = [psi for psi in psis.values() if psi is not None]
    assert close(found["Psi"], statistics.fmean(known))
    assert found["models"] == sum(not math.isnan(value) for value in values)
