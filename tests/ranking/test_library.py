"""`icc_cli.rank`: what it takes, what it gives, and the scores of others."""

import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest

import icc_cli
from icc_cli import records
from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.cells import coefficient, probability
from icc_cli.ranking.directions import sense
from icc_cli.ranking.rank import rank
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.units import in_fractions
from tests.ranking.test_cases import CASES, icc_rank, one

ROWS = [json.loads(line) for line in (CASES / "table.jsonl").read_text().splitlines()]
ASK = {"target": "gen_gap", "hparams": ["lr", "bs", "opt"], "measures": ["m"]}
EXPECTED = rank(CASES / "base.csv", **ASK).rows


class Frame:
    """What rank asks of a data frame."""

    columns = tuple(ROWS[0])

    def __getitem__(self, name):
        return [row[name] for row in ROWS]

    def __len__(self):
        return len(ROWS)


def test_what_it_takes():
    assert rank(ROWS, **ASK).rows == EXPECTED
    assert rank(Frame(), **ASK).rows == EXPECTED
    assert rank([str(CASES / "base.csv")], **ASK).rows == EXPECTED
    assert rank(str(CASES / "base.csv"), "gen_gap", "m", ASK["hparams"]).rows == EXPECTED
    records = [json.loads(line) for line in (CASES / "records_loss_targets.jsonl").read_text().splitlines()]
    assert rank(records).rows == rank(CASES / "records_loss_targets.jsonl").rows
    assert icc_cli.rank is rank
    with pytest.raises(UsageError, match="cannot rank a int"):
        rank(3)
    with pytest.raises(UsageError, match="--bootsrap does not go with"):
        rank(ROWS, **ASK, bootsrap=3)


def test_a_data_frame_of_pandas():
    pandas = pytest.importorskip("pandas")
    assert rank(pandas.DataFrame(ROWS), **ASK).rows == EXPECTED
    frame = pandas.DataFrame([*ROWS, {**ROWS[0], "opt": "lamb", "m": None, "gen_gap": 0.3}])
    assert rank(frame, **ASK)["m"]["models"] == 8


def test_it_is_the_commands_rows():
    done = icc_rank(
        CASES / "base.csv", "--hparams", "lr,bs,opt", "--target", "gen_gap", "--measures", "m", controls=True
    )
    assert done.rows == EXPECTED
    assert [row["measure"] for row in EXPECTED] == ["m", "random"] and EXPECTED[1]["control"]
    assert EXPECTED[1]["p_holm"] is None and EXPECTED[0]["p_holm"] == EXPECTED[0]["p"]


def test_it_prints_well():
    found = rank(ROWS, **ASK)
    text = str(found)
    assert "tau-a" in text and "across studies" in text and max(map(len, text.splitlines())) <= 100
    assert len(found) == 2 and found["m"] is not None and found[0]["measure"] == "m"
    with pytest.raises(KeyError):
        found["none"]

    class Cells(HTMLParser):
        cells = 0

        def handle_starttag(self, tag, attrs):
            self.cells += tag == "td"

    page = Cells()
    page.feed(found._repr_html_())
    assert page.cells == 2 * (8 + 3)


def test_numbers_as_they_are_printed():
    shown = {0.734: ".73", 1.0: "1.00", -0.58: "-.58", -0.001: ".00", None: "-"}
    assert {value: coefficient(value) for value in shown} == shown
    assert [probability(p) for p in (0.0004, 0.012, 0.5, 1.0, None)] == ["<.001", ".012", ".500", "1", "-"]


def test_controls(tmp_path):
    """Random is the same for the same weights; a measure equal to the target is surely above it, noise is not."""
    random = np.random.default_rng(0)
    rows = [
        {"a": a, "b": b, "c": c, "d": d, "good": 0.0, "noise": random.normal(), "parameters": float(a), "acc": 0.0}
        for a in range(3) for b in range(3) for c in range(3) for d in range(3)
    ]  # fmt: skip
    for row in rows:
        row["acc"] = random.random()
        row["good"] = row["acc"] + 0.01 * random.normal()
    found = rank(rows, "acc", ["good", "noise"], ["a", "b", "c", "d"])
    assert [row["measure"] for row in found] == ["good", "noise", "parameters", "random"]
    assert found.rows == rank(rows, "acc", ["good", "noise"], ["a", "b", "c", "d"]).rows
    (said,) = [note for note in found.notes if note.startswith("no control")]
    assert said == "no control (parameters, random) is surely below: noise."
    assert len(rank(rows, "acc", ["good"], ["a", "b", "c", "d"], controls=False)) == 1
    given = rank(rows, "acc", ["good"], ["a", "b", "c", "d"], given="random")
    assert given["good"]["given"] == "random" and given["good"]["Psi"] > 0.9
    lead = rank(rows, "acc", ["good"], ["a", "b", "c", "d"], versus="parameters")
    assert lead["good"]["versus"] == "parameters" and lead["good"]["p"] < 0.01
    turned = rank([{**row, "loss": -row["acc"]} for row in rows], "loss", ["good"], ["a", "b"])
    assert turned["random"]["direction"] == 1 and turned["random"]["sign"] == "not fixed beforehand"
    fitted = [{**row, "train_accuracy": row["acc"], "train_loss": -row["acc"]} for row in rows]
    gap = rank(fitted, "acc", ["good"], ["a", "b"])
    assert gap["train_accuracy"]["direction"] == 1 and gap["train_loss"]["direction"] == -1
    assert gap["train_accuracy"]["Psi"] == gap["train_loss"]["Psi"] == 1


def test_a_measure_that_its_records_declare(tmp_path):
    """Its direction is declared for accuracy and turned for the gap; an open one says that its sign was not fixed."""
    records = [json.loads(line) for line in (CASES / "records_loss_targets.jsonl").read_text().splitlines()]
    for i, record in enumerate(records):
        record["metrics"]["train_accuracy"] = 0.99
        record["measures"] = {"firing": -record["metrics"]["test_accuracy"], "odd": float(i)}
        record["about"] = {
            "firing": {"with_accuracy": -1, "symbol": "$f$", "settings": {}},
            "odd": {"with_accuracy": 0, "symbol": "", "settings": {}},
        }
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = rank(path, controls=False)
    assert found["firing"]["direction"] == -1 and found["firing"]["Psi"] == 1
    assert found["odd"]["sign"] == "not fixed beforehand" and found["odd"]["direction"] == 1
    assert "+1*" in str(found) and "* sign not fixed beforehand" in str(found)
    gap = rank(path, "generalization_gap", controls=False)
    assert gap["firing"]["direction"] == 1 and gap["firing"]["Psi"] == 1


def test_a_score_of_the_users_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def agree(m, t, hparams):\n    return float((m > m.mean()).sum() + len(hparams))\n\nbad = None\n")
    row, _ = one(CASES / "base.csv", *_options(), "--score", f"{path}:agree")
    values = [line["m"] for line in ROWS]
    assert row["value"] == sum(value > sum(values) / 8 for value in values) + 3
    done = icc_rank(CASES / "base.csv", *_options(), "--score", f"{path}:bad")
    assert done.code == 2 and "fails on m" in done.err


def _options():
    return ("--hparams", "lr,bs,opt", "--target", "gen_gap", "--measures", "m")


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("test_accuracy", 1), ("val_acc", 1), ("acc1", 1), ("top1", 1), ("f1", 1), ("valAccuracy", 1),
        ("train_loss", -1), ("valLoss", -1), ("top1_err", -1), ("gen_gap", -1), ("perplexity", -1), ("test_rmse", -1),
        ("mae", -1), ("error_rate", -1), ("accuracy_gap", -1),
        ("Prec@1", 1), ("val_mIoU", 1), ("top-1", 1), ("errorrate", -1), ("lossVal", -1), ("terror", -1),
        ("value", 0), ("ppl", 0), ("singapore", 0), ("architecture", 0), ("accumulate_grad_batches", 0), ("lr", 0),
    ],
)  # fmt: skip
def test_which_way_a_target_goes(name, way):
    assert sense(name) == way


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.5, 0.9), (0.5, 0.9)),
        ((50.0, 90.0), (0.5, 0.9)),
        ((1.0, 90.0), (0.01, 0.9)),
        ((-3.0, 90.0), (-3.0, 90.0)),
        ((math.nan, 90.0), (math.nan, 0.9)),
    ],
)
def test_units(values, expected):
    table = ModelTable(("a", "b"), {}, ("test_accuracy",), np.array(values)[:, None])
    found, told = in_fractions(table, "test_accuracy")
    np.testing.assert_array_equal(found.column("test_accuracy"), expected)
    assert bool(told) == (max(value for value in values if value == value) > 1.5)


def test_a_mixture_of_units_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("lr,m,test_accuracy\n1,1,0.96\n2,2,96.1\n")
    done = icc_rank(path, "--hparams", "lr", "--measures", "m")
    assert done.code == 4 and "mixes fractions and per cents: it has 0.96 and 96.1" in done.err


def test_lightnings_logs(tmp_path):
    pytest.importorskip("yaml")
    records = (CASES / "records.jsonl").read_text().splitlines()
    goal = [0.8, 0.85, 0.82, 0.87, 0.84, 0.81, 0.86, 0.83]
    found = []
    for i, line in enumerate(records):
        run = tmp_path / "logs" / f"version_{i}"
        run.mkdir(parents=True)
        (run / "hparams.yaml").write_text(f"lr: {0.1 if i < 4 else 0.01}\nbs: {32 if i % 4 < 2 else 64}\n")
        (run / "metrics.csv").write_text(f"epoch,step,val_acc,train_loss\n0,1,0.1,\n1,2,{goal[i]},\n1,2,,0.3\n")
        record = json.loads(line)
        found.append(json.dumps({**record, "checkpoint": f"version_{i}/checkpoints/last.ckpt"}))
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(found) + "\n")
    row, said = one(path, "--runs", tmp_path / "logs", "--target", "val_acc", "--measures", "c1")
    assert list(row["axes"]) == ["lr", "bs"] and row["models"] == 4, "two runs of each configuration"
    assert "no row" not in said


def test_ray_tune_and_tensorboard_and_mlflows_page(tmp_path):
    goal = [0.8, 0.85, 0.82, 0.87, 0.84, 0.81, 0.86, 0.83]
    settings = [(0.1 if i < 4 else 0.01, 32 if i % 4 < 2 else 64, "sgd" if i % 2 else "adam") for i in range(8)]
    heads = {
        "ray.csv": "trial_id,training_iteration,time_total_s,val_acc,config/lr,config/bs,config/opt",
        "board.csv": "Trial ID,Show Metrics,val_acc,lr,bs,opt",
        "mlflow.csv": "Start Time,Duration,Run ID,Name,User,Status,val_acc,lr,bs,opt",
    }
    starts = {"ray.csv": "run_{i},9,{t}", "board.csv": "run_{i},true", "mlflow.csv": "{t},1s,{t:x},run_{i},me,FINISHED"}
    for name, head in heads.items():
        lines = [head]
        for i, (setting, value) in enumerate(zip(settings, goal, strict=True)):
            lines.append(",".join([starts[name].format(i=i, t=100 + i), str(value), *map(str, setting)]))
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        row, said = one(CASES / "records.jsonl", "--runs", tmp_path / name, "--target", "val_acc", "--measures", "c1")
        assert list(row["axes"]) == ["lr", "bs", "opt"], name
        assert "settings lr, bs, opt; results val_acc" in said, name


@pytest.mark.parametrize(("cells", "apart"), [(4, False), (5, True), (8, True)])
def test_seeds_that_repeat_over_configurations_keep_models_apart(cells, apart):
    """More than half of the eight pairs of four configurations and two seeds must be there."""
    pairs = [(i % 4, i // 4) for i in range(8)]
    chosen = [pairs[i] for i in (0, 1, 6, 7, 2, 3, 4, 5)[:cells]]
    rows = [{"lr": lr, "seed": seed, "m": float(lr), "acc": lr / 9} for lr, seed in chosen]
    found = rank(rows, "acc", ["m"], ["lr"], controls=False)
    assert found["m"]["models"] == (cells if apart else len({lr for lr, _ in chosen}))
    assert found["m"]["axes"]["lr"]["groups"] == (2 if apart else 1)
    averaged = rank(rows, "acc", ["m"], ["lr"], controls=False, seeds="average")
    assert averaged["m"]["axes"]["lr"]["groups"] == 1
    assert rank(rows, "acc", ["m"], ["lr"], controls=False, seeds="within")["m"]["models"] == cells


@pytest.mark.parametrize("k", [math.inf, -1, 0, 2.5, "ten", [3], True])
@pytest.mark.parametrize("name", ["k", "layer_k", "site_k"])
def test_a_record_of_no_k_that_there_can_be_is_refused(name, k):
    line = {"checkpoint": "a.pt", "weights_sha256": "0" * 64, "measures": {"c1": 1.0}, "record": "icc-measure"}
    assert records.from_json({**line, "version": 1, name: 3}, "r.json").settings == {name: 3}
    with pytest.raises(FormatError, match=f"{name}.*expected a whole number"):
        records.from_json({**line, "version": 1, name: k}, "r.json")
