"""Exports as tools write them, of one grid of eight runs: all give the settings and the results of that grid."""

import csv
import itertools
import json

import pytest

from tests.ranking.test_cases import RECORDS, assert_row, one, refused

GRID = list(itertools.product((0.1, 0.01), (32, 64), ("sgd", "adam")))
GOAL = [0.81, 0.84, 0.79, 0.88, 0.84, 0.91, 0.77, 0.81]
LINES = [json.loads(line) for line in RECORDS.read_text().splitlines()]
SHARED = [0.5, 0.5, 0.6, 0.7, 0.9, 0.4, 0.3, 0.2]
"""A number that two runs share by chance, and that is no setting."""


def write(path, rows):
    with path.open("w", newline="") as lines:
        table = csv.DictWriter(lines, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def records(path, checkpoint):
    path.write_text("".join(json.dumps({**line, "checkpoint": checkpoint(i)}) + "\n" for i, line in enumerate(LINES)))
    return path


def assert_the_grid(row, names=("lr", "bs", "opt")):
    hparams = dict(zip(names, map(tuple, zip(*GRID, strict=True)), strict=True))
    assert_row(row, hparams, [line["measures"]["c1"] for line in LINES], GOAL)


def ray(i, report):
    own = {"trial_id": f"run_{i}", "training_iteration": report, "done": report == 3, "node_ip": "1.1.1.1"}
    return {"test_accuracy": GOAL[i] if report == 3 else 1 - report / 5, **own}


def test_weights_and_biases(tmp_path):
    rows = [
        {"Name": f"run_{i}", "State": "crashed" if i == 3 else "finished", "Created": "2025", "Runtime": 100 + i}
        | {"Group": f"g{i % 2}", "Tags": "a, b", "optimizer.lr": lr, "data/bs": bs, "optimizer.opt": opt}
        | {"test_accuracy": GOAL[i], "train/loss": i, "odd": SHARED[i], "flops": 1e9 * (i % 3)}
        for i, (lr, bs, opt) in enumerate(GRID)
    ]
    row, said = one(RECORDS, "--runs", write(tmp_path / "wandb.csv", rows), "--measures", "c1")
    assert_the_grid(row, ("optimizer.lr", "data/bs", "optimizer.opt"))
    assert "1 of the 8 runs" in said and "did not finish (crashed)" in said
    assert "'odd' in" in said and "differs from run to run" in said
    said = refused(RECORDS, "--runs", tmp_path / "wandb.csv", "--measures", "c1", "--hparams", "lr")
    assert "Did you mean 'optimizer.lr'?" in said
    row, _ = one(RECORDS, "--runs", tmp_path / "wandb.csv", "--measures", "c1", "--hparams", "odd,data/bs")
    assert list(row["axes"]) == ["odd", "data/bs"], "what is named is taken"


def test_nested_configurations(tmp_path):
    rows = [
        {"name": f"run_{i}", "config": {"lr": lr, "model": {"bs": bs, "_x": i}, "opt": opt}}
        | {"summary": {"test_accuracy": GOAL[i], "m": i, "_wandb": {"runtime": i}}}
        for i, (lr, bs, opt) in enumerate(GRID)
    ]
    (tmp_path / "runs.json").write_text(json.dumps(rows))
    row, _ = one(RECORDS, "--runs", tmp_path / "runs.json", "--measures", "c1")
    assert_the_grid(row, ("lr", "model.bs", "opt"))
    row, _ = one(tmp_path / "runs.json", "--hparams", "lr,model.bs,opt", "--measures", "m")
    assert_row(row, dict(zip(("lr", "model.bs", "opt"), zip(*GRID, strict=True), strict=True)), [*range(8)], GOAL)


def test_ray_tune_reports_several_times(tmp_path):
    flat = [
        {
            **ray(i, report),
            **{f"config/{name}": value for name, value in zip(("lr", "bs", "opt"), GRID[i], strict=True)},
        }
        for report in (1, 2, 3, 2)
        for i in range(8)
    ]
    nested = [
        {**ray(i, n), "config": dict(zip(("lr", "bs", "opt"), GRID[i], strict=True))} for n in (1, 3) for i in range(8)
    ]
    (tmp_path / "result.jsonl").write_text("\n".join(map(json.dumps, nested)))
    for i in range(8):
        (tmp_path / "folder" / f"trial_{i}").mkdir(parents=True)
        mine = [
            {k: v for k, v in row.items() if k != "trial_id" or i} for row in nested if row["trial_id"] == f"run_{i}"
        ]
        lines = [json.dumps({**row, "trial_id": f"{i}"}) for row in mine]
        (tmp_path / "folder" / f"trial_{i}" / "result.json").write_text("\n".join(lines))
    for runs in (write(tmp_path / "progress.csv", flat), tmp_path / "result.jsonl"):
        row, said = one(RECORDS, "--runs", runs, "--measures", "c1")
        assert_the_grid(row)
        assert "reports of 8 trials: the last of each" in said
    named = records(tmp_path / "named.jsonl", lambda i: f"ray/trial_{i}/checkpoint_000002/model.pt")
    assert_the_grid(one(named, "--runs", tmp_path / "folder", "--measures", "c1")[0])


def test_lightnings_folders_of_one_name(tmp_path):
    """Each run is a version_0 or a version_1 of an experiment, and its settings hold things of Python's."""
    pytest.importorskip("yaml")
    for i, (lr, bs, opt) in enumerate(GRID):
        folder = tmp_path / "logs" / f"lr{i // 2}" / f"version_{i % 2}"
        folder.mkdir(parents=True)
        things = "betas: !!python/tuple\n- 0.9\nact: !!python/name:torch.nn.ReLU ''\n"
        (folder / "hparams.yaml").write_text(f"lr: {lr}\nmodel:\n  bs: {bs}\nopt: {opt}\n{things}")
        (folder / "metrics.csv").write_text(f"epoch,test_accuracy\n0,0.1\n1,{GOAL[i]}\n2,\n")
    named = records(tmp_path / "r.jsonl", lambda i: f"logs/lr{i // 2}/version_{i % 2}/checkpoints/last.ckpt")
    row, said = one(named, "--runs", tmp_path / "logs", "--measures", "c1")
    assert_the_grid(row, ("lr", "model.bs", "opt"))
    assert "betas" in said and "act" in said
    (tmp_path / "empty").mkdir()
    assert "holds no logs" in refused(named, "--runs", tmp_path / "empty", "--measures", "c1")


def test_a_folder_of_lm_eval(tmp_path):
    for i, (lr, bs, opt) in enumerate(GRID):
        results = {
            "piqa": {"acc,none": GOAL[i]},
            "gsm": {"em,strict-match": LINES[i]["measures"]["c1"], "em,flexible": 0},
        }
        config = {"model_args": f"pretrained=m,lr={lr},bs={bs},opt={opt}"}
        (tmp_path / "out" / f"m{i}").mkdir(parents=True)
        (tmp_path / "out" / f"m{i}" / "results_1.json").write_text(json.dumps({"results": results, "config": config}))
        (tmp_path / "out" / f"m{i}" / "samples_piqa.jsonl").write_text('{"doc": 1}\n{"doc": 2}\n')
    options = ("--hparams", "lr,bs,opt", "--target", "piqa/acc", "--measures")
    assert_the_grid(one(tmp_path / "out", *options, "gsm/em/strict-match")[0])


def test_names_with_commas(tmp_path):
    rows = [
        dict(zip(("l,r", "bs", "opt"), run, strict=True)) | {"a, b": g, "acc": g}
        for run, g in zip(GRID, GOAL, strict=True)
    ]
    options = ("--hparams", '"l,r", bs,opt', "--target", "acc", "--measures", '"a, b"')
    row, _ = one(write(tmp_path / "t.csv", rows), *options)
    assert row["measure"] == "a, b" and list(row["axes"]) == ["l,r", "bs", "opt"] and row["Psi"] > 0.9


def test_thousands_of_timm(tmp_path):
    rows = [
        {"model": f"m{i}", "top1": 70 + i, "param_count": count, "img_size": size, "crop_pct": crop}
        for i, (count, size, crop) in enumerate(
            (("25.56", 224, 1), ("305.08", 448, 1), ("88", 224, 0.9), ("1,014.45", 448, 0.9))
        )
    ]
    options = ("--hparams", "img_size,crop_pct", "--target", "top1", "--measures", "param_count")
    assert one(write(tmp_path / "results-imagenet.csv", rows), *options)[0]["Psi"] == 1.0
