"""`icc rank` as users run it: files, pipes, tables, options, and what goes wrong."""

import csv
import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from icc_cli.cli import app
from tests.ranking.oracle import PGDL, PGDL_HPARAMS, axis_value, close, needs_pgdl, paper_grid

KENDALL = {"VPM_1": 0.395833, "VPM_80": 0.409722, "VR": 0.479167, "WCV": 0.545139}


def icc_rank(*arguments, stdin=None, controls=False):
    """`icc rank` in this process, of the measures alone unless controls are asked for."""
    extra = [] if controls else ["--no-controls"]
    done = CliRunner().invoke(app, ["rank", *map(str, arguments), *extra], input=stdin)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def lines(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def record(i, hparams, measures, kind="icc-measure", **changes):
    head = {"checkpoint": f"m{i}.pt", "weights_sha256": f"{i:064x}", "model": "vgg", "data": "digits", "epoch": 3}
    metrics = {"train_accuracy": 1.0, "test_accuracy": 0.5}
    settings = {"convention": "paper", "k": 30, "layer_k": 1} if kind == "icc-measure" else {}
    whole = {"record": kind, "version": 1, **head, "hparams": hparams, "metrics": metrics, **settings}
    return {**whole, "measures": measures, "notes": [], **changes}


@pytest.fixture
def study(tmp_path):
    """The paper's grid with invented numbers: a folder of measure and sharpness records."""
    random = np.random.default_rng(0)
    grid = paper_grid()
    accuracy = random.random(len(grid))
    c3 = accuracy + random.normal(0, 0.3, len(grid))
    sigma = random.integers(0, 6, len(grid)).astype(float)
    folder = tmp_path / "results"
    folder.mkdir()
    for i, config in enumerate(grid):
        metrics = {"train_accuracy": 1.0 if i % 10 else 0.5, "test_accuracy": accuracy[i]}
        hparams = {**config, "seed": 0}
        one = record(i, hparams, {"c1": None, "c3": c3[i]}, metrics=metrics)
        two = record(i, hparams, {"inv_sigma": sigma[i]}, "icc-sharpness", metrics=metrics)
        (folder / f"m{i}.measure.json").write_text(json.dumps(one) + "\n")
        (folder / f"m{i}.sharpness.json").write_text(json.dumps(two) + "\n")
    return folder, grid, accuracy, {"c3": c3, "inv_sigma": sigma}


def test_folder_of_records(study):
    folder, grid, accuracy, measures = study
    found = {row["measure"]: row for row in lines(icc_rank(folder))}
    assert found["c1"]["models"] == 0 and found["c1"]["Psi"] is None and found["c1"]["tau"] is None
    answers = ["Psi_interval", "interval", "p", "p_holm"]
    assert list(found["c3"]) == ["measure", "direction", "models", "axes", "Psi", *answers, "tau"]
    assert found["c3"]["interval"] == "across studies"
    assert [cell["groups"] for cell in found["c3"]["axes"].values()] == [48, 96, 48, 96, 48, 48, 64, 64]
    hparams = {name: tuple(config[name] for config in grid) for name in grid[0]}
    for name, direction in (("c3", 1), ("inv_sigma", -1)):
        assert (found[name]["direction"], found[name]["models"]) == (direction, 192)
        for axis, cell in found[name]["axes"].items():
            psi, groups, pairs, ties, _ = axis_value(hparams, axis, direction * measures[name], accuracy)
            assert close(cell["psi"], psi)
            assert (cell["groups"], cell["pairs"], cell["ties"]) == (groups, pairs, ties)


def test_records_and_paths_on_standard_input(study):
    folder, *_ = study
    files = sorted(folder.iterdir())
    expected = icc_rank(folder).stdout
    assert icc_rank("-", stdin="".join(file.read_text() for file in files)).stdout == expected
    assert icc_rank("-", stdin="".join(f"{file}\n" for file in files)).stdout == expected
    assert icc_rank(*files).stdout == expected


def test_options_that_choose_models_and_directions(study):
    folder, *_ = study
    result = icc_rank(folder, "--min-train-accuracy", 0.99, "--measures", "c3", "--direction", "c3=-1")
    (row,) = lines(result)
    assert row["models"] == 172 and row["direction"] == -1
    assert "20 of 192 models have a train accuracy under 0.99" in result.stderr
    (gap,) = lines(icc_rank(folder, "--target", "generalization_gap", "--measures", "inv_sigma"))
    assert gap["direction"] == 1
    assert "icc:" not in icc_rank(folder, "-q").stderr


@needs_pgdl
def test_any_table_to_six_digits():
    options = ["--hparams", ",".join(PGDL_HPARAMS), "--target", "gen_gap", "--measures", ",".join(KENDALL)]
    for source, stdin in ((PGDL, None), ("-", PGDL.read_text())):
        found = {row["measure"]: round(row["Psi"], 6) for row in lines(icc_rank(source, *options, stdin=stdin))}
        assert found == KENDALL
    table = icc_rank(PGDL, *options, "--format", "table").stdout
    assert all(f"{value:.2f}".removeprefix("0") in table for value in KENDALL.values())
    rows = list(csv.DictReader(io.StringIO(icc_rank(PGDL, *options, "--format", "csv").stdout)))
    assert {row["measure"]: round(float(row["Psi"]), 6) for row in rows} == KENDALL
    assert rows[0]["bs.groups"] == "32" and rows[0]["bs.pairs"] == "96"


def test_formats_to_files(study, tmp_path):
    folder, *_ = study
    expected = lines(icc_rank(folder))
    for name in ("t.json", "t.jsonl", "t.csv", "t.md", "t.tex"):
        path = tmp_path / "out" / name
        assert icc_rank(folder, "-o", path).stdout == f"{path}\n"
    assert json.loads((tmp_path / "out" / "t.json").read_text()) == expected
    assert [json.loads(line) for line in (tmp_path / "out" / "t.jsonl").read_text().splitlines()] == expected
    assert (tmp_path / "out" / "t.tex").read_text().count(r"\\") == 2 * (1 + 1 + 2 * 2), (
        "two parts; c1 has neither value nor interval"
    )


def test_runs_override_and_joined_measures_rank(study, tmp_path):
    folder, grid, accuracy, _ = study
    runs = tmp_path / "runs.csv"
    runs.write_text(
        "checkpoint,test_accuracy,extra\n" + "".join(f"m{i}.pt,{-a},{i % 2}\n" for i, a in enumerate(accuracy))
    )
    (row,) = lines(icc_rank(folder, "--runs", runs, "--measures", "c3"))
    (plain,) = lines(icc_rank(folder, "--measures", "c3"))
    assert row["tau"] == pytest.approx(-plain["tau"])
    assert list(row["axes"]) == [*plain["axes"], "extra"]
    other = tmp_path / "other.csv"
    other.write_text("checkpoint,mine,note\n" + "".join(f"dir/m{i}.pt,{a},x\n" for i, a in enumerate(accuracy)))
    (mine,) = lines(icc_rank(folder, "--join", other, "--measures", "mine"))
    assert mine["Psi"] == 1.0
    wandb = tmp_path / "wandb.json"
    wandb.write_text(
        json.dumps([{"name": f"m{i}", "summary": {"test_accuracy": -a}, "config": {}} for i, a in enumerate(accuracy)])
    )
    mlflow = tmp_path / "mlflow.csv"
    header = "run_id,tags.mlflow.runName,metrics.test_accuracy\n"
    mlflow.write_text(header + "".join(f"{i:032x},m{i},{-a}\n" for i, a in enumerate(accuracy)))
    for export in (wandb, mlflow):
        columns = ["--hparams", ",".join(grid[0])]
        assert lines(icc_rank(folder, "--runs", export, "--measures", "c3", *columns))[0]["Psi"] == pytest.approx(
            -plain["Psi"]
        )


def test_other_k_and_convention_are_columns_of_their_own():
    text = ""
    for i in range(4):
        metrics = {"test_accuracy": i / 4}
        for k in (1, 30):
            measures = {"c3": i * (1 if k == 30 else -1), "c4": float(i)}
            text += json.dumps(record(i, {"lr": i}, measures, k=k, metrics=metrics)) + "\n"
    found = {row["measure"]: row["Psi"] for row in lines(icc_rank("-", stdin=text))}
    assert found == {"c3@k=1": -1.0, "c3@k=30": 1.0, "c4": 1.0}
    assert len(lines(icc_rank("-", "--measures", "c3", stdin=text))) == 2
    assert [row["measure"] for row in lines(icc_rank("-", "--measures", "c3@k=1", stdin=text))] == ["c3@k=1"]


def test_every_k_of_a_sweep():
    text = "".join(
        json.dumps(
            record(
                i,
                {"lr": i},
                {"c3": i},
                k=2,
                metrics={"test_accuracy": i},
                all_k={"c1": None, "c3": [-i, i, i][: 2 + i % 2]},
            )
        )
        + "\n"
        for i in range(4)
    )
    found = {
        row["measure"]: (row["Psi"], row["models"]) for row in lines(icc_rank("-", "--measures", "c3@k=*", stdin=text))
    }
    assert found == {"c3@k=1": (-1.0, 4), "c3@k=2": (1.0, 4), "c3@k=3": (1.0, 4)}


def test_conflicting_records_are_an_error():
    one, two = record(0, {"lr": 1}, {"c3": 1.0}), record(0, {"lr": 1}, {"c3": 2.0})
    result = icc_rank("-", stdin=json.dumps(one) + "\n" + json.dumps(two) + "\n")
    assert result.returncode == 4 and "c3" in result.stderr and "m0.pt" in result.stderr
    other = record(0, {"lr": 2}, {"c4": 2.0})
    result = icc_rank("-", stdin=json.dumps(one) + "\n" + json.dumps(other) + "\n")
    assert result.returncode == 4 and "lr" in result.stderr


def test_explain_agrees_with_the_table(study):
    folder, *_ = study
    rows = lines(icc_rank(folder, "--explain", "c3:lr"))
    (table,) = lines(icc_rank(folder, "--measures", "c3"))
    assert len(rows) == table["axes"]["lr"]["groups"] == 48
    assert sum(row["tau"] for row in rows) / 48 == pytest.approx(table["axes"]["lr"]["psi"])


def test_scores_and_intervals_in_json(study):
    folder, *_ = study
    (row,) = lines(icc_rank(folder, "--measures", "c3"))
    low, high = row["Psi_interval"]
    assert low < row["Psi"] < high
    assert all(cell["interval"][0] <= cell["psi"] <= cell["interval"][1] for cell in row["axes"].values())
    (lead,) = lines(icc_rank(folder, "--versus", "inv_sigma", "--measures", "c3,inv_sigma"))
    assert lead["measure"] == "c3" and lead["versus"] == "inv_sigma" and lead["Psi_interval"][0] < lead["Psi"]
    for score in ("cmi", "pgdl"):
        (row,) = lines(icc_rank(folder, "--measures", "c3", "--score", score))
        assert 0 <= row["value"] <= 1 and row["score"] == score
    (row,) = lines(icc_rank(folder, "--measures", "c3", "--score", "sign-error"))
    assert row["environments"] == 0 and row["dropped"] > 0
    (row,) = lines(icc_rank(folder, "--measures", "c3", "--given", "inv_sigma"))
    assert row["given"] == "inv_sigma" and -1 <= row["Psi"] <= 1


TABLE = "checkpoint,lr,acc,m\na.pt,1,0.5,1\nb.pt,2,0.6,2\n"
USE = ("--hparams", "lr", "--target", "acc", "--measures", "m")


@pytest.mark.parametrize(
    ("text", "arguments", "code", "words"),
    [
        ("", USE, 2, "no input"),
        ("{", (), 4, "not JSON"),
        ("[1]\n", (), 2, "no file"),
        (json.dumps({"record": "other"}), (), 4, "not a record"),
        (json.dumps(record(0, {"lr": 1}, {"c3": 1}, version=9)), (), 4, "version 9"),
        (json.dumps(record(0, {"lr": 1}, {"c3": "high"})), (), 4, "expected a number"),
        (json.dumps(record(0, {"lr": 1}, {"c3": 1})), (), 4, "one model"),
        (TABLE, ("--hparams", "depth", *USE[2:]), 2, "no hyperparameter 'depth'"),
        (TABLE, (*USE[:2], "--target", "loss", *USE[4:]), 2, "target 'loss'"),
        (TABLE, (*USE[:4], "--measures", "nope"), 2, "no column 'nope'"),
        (TABLE, (*USE, "--direction", "m=2"), 2, "--direction"),
        (TABLE, (*USE, "--score", "pgdl", "--versus", "m"), 2, "--versus"),
        (TABLE.replace("0.6,2", "0.6,two"), USE, 4, "line 3"),
        (TABLE.replace("0.6,2", "0.6"), USE, 4, "3 cells"),
        (TABLE.replace(",acc", ",lr"), USE, 4, "two columns"),
        ("checkpoint,lr,acc,m\n", USE, 4, "no row"),
        (TABLE.replace("0.6", ""), USE, 4, "one model"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(text, arguments, code, words):
    result = CliRunner().invoke(app, ["rank", "-", *arguments], input=text)
    assert result.exit_code == code, result.stderr
    assert words in result.stderr and "Traceback" not in result.stderr and result.stdout == ""


def test_files_that_cannot_be_read(tmp_path, study):
    folder, *_ = study
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    (tmp_path / "nothing").mkdir()
    for name, code in (("empty.json", 4), ("binary.csv", 4), ("absent.json", 2), ("absent.csv", 2), ("nothing", 2)):
        result = icc_rank(tmp_path / name, *USE)
        assert result.returncode == code and "Traceback" not in result.stderr and name in result.stderr
    whole = icc_rank(folder)
    some = icc_rank(folder, tmp_path / "empty.json")
    assert some.returncode == 1 and some.stdout == whole.stdout and "empty.json" in some.stderr


def test_diagnosis_is_said():
    rows = ["lr,wd,acc,m,flat"]
    rows += [
        f"{lr},{wd},{acc},{m},1"
        for lr, wd, acc, m in ((1, 0, 1, 1), (2, 0, 2, 1), (2, 0, 3, 1), (1, 1, 4, "nan"), (3, "", 4, 4))
    ]
    result = icc_rank(
        "-", "--hparams", "lr,wd", "--target", "acc", "--measures", "m,flat", stdin="\n".join(rows) + "\n"
    )
    assert [row["models"] for row in lines(result)] == [3, 4], "two of the five are replicates"
    for words in (
        "1 replicates are averaged",
        "few groups",
        "m (1)",
        "ranks nothing: flat",
        "many tied pairs",
        "wd (1)",
        "differ from no other",
    ):
        assert words in result.stderr


def test_latex_escapes_what_its_readers_write():
    text = "lr,acc,a^b~c\\d_e\n1,1,1\n2,2,2\n"
    result = CliRunner().invoke(
        app, ["rank", "-", "--hparams", "lr", "--target", "acc", "--measures", "a*", "--format", "latex"], input=text
    )
    assert r"a\^{}b\~{}c\textbackslash{}d\_e & 1.0 & 1.0 & -- \\" in result.stdout


def test_exports_bring_settings_and_metrics_alone(study, tmp_path):
    """The tables of Weights & Biases' interface and page, and of MLflow, with what they say of the run itself."""
    folder, grid, accuracy, _ = study
    tables = {"api.csv": [], "page.csv": [], "mlflow.csv": []}
    for i, config in enumerate(grid):
        summary = {"_step": 3, "_wandb": {"runtime": i}, "test_accuracy": float(-accuracy[i]), "loss": math.nan}
        tables["api.csv"].append({"": i, "summary": summary, "config": config, "name": f"m{i}"})
        about = {
            "Name": f"m{i}",
            "State": "finished",
            "Notes": "-",
            "Created": f"2026-01-01T00:{i % 7}",
            "Runtime": i % 9,
        }
        tables["page.csv"].append({**about, **config, "test_accuracy": -accuracy[i], "grad_norm": i})
        params = {f"params.{name}": value for name, value in config.items()}
        run = {
            "run_id": f"a{i}",
            "status": "FINISHED",
            "start_time": f"2026-01-01 00:{i % 7}",
            "tags.mlflow.user": i % 3,
        }
        results = {"metrics.test_accuracy": -accuracy[i], "metrics.grad_norm": i}
        tables["mlflow.csv"].append({**run, **params, **results, "tags.mlflow.runName": f"m{i}"})
    (plain,) = lines(icc_rank(folder, "--measures", "c3"))
    for name, rows in tables.items():
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        (row,) = lines(icc_rank(folder, "--measures", "c3", "--runs", tmp_path / name))
        assert list(row["axes"]) == list(plain["axes"]), name
        assert row["Psi"] == pytest.approx(-plain["Psi"])
