"""The report of really trained networks, and of records that do not hold everything."""

import json
import re

import pytest
from typer.testing import CliRunner

from icc_cli import records
from icc_cli.cli import app
from icc_cli.plots.style import rounded
from tests.conftest import icc
from tests.plots.parsed import Page
from tests.ranking.test_order import models, of_models, text


@pytest.fixture(scope="module")
def page(family, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = icc("report", family / "results", family / "epochs-results", "-o", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path)
    return path


def test_the_page_holds_the_ranking_and_every_model(family, page):
    found = Page()
    found.feed(page.read_text("utf-8"))
    ranked = icc("rank", family / "results", "--format", "json").stdout.splitlines()
    for line in ranked:
        psi = re.search(r'"Psi": ([-\d.e]+)', line).group(1)
        assert rounded(float(psi)) in found.text
    for path in (family / "results").iterdir():
        (record,) = map(records.as_json, records.read(path))
        for name in ("c1", "c2", "c3", "c4"):
            value, accuracy = record["measures"][name], record["metrics"]["test_accuracy"]
            start = f"{record['checkpoint']}: {name} {value:.4g}, test_accuracy {accuracy:.4g}"
            assert any(title.startswith(start) for title in found.titles), start
        assert found.text.count(record["checkpoint"]) >= 5, "four points and a line of the table"
    assert "16 records of earlier epochs" in found.text


def test_every_figure_leaves_the_underfitted_out(family, tmp_path):
    records = [json.loads(line) for path in (family / "results").iterdir() for line in path.open()]
    accuracies = sorted(record["metrics"]["train_accuracy"] for record in records)
    least = accuracies[3]
    assert len(accuracies) == 8 and accuracies[2] < least
    assert icc("report", family / "results", "--min-train-accuracy", least, "-o", tmp_path / "r.html").returncode == 0
    found = Page()
    found.feed((tmp_path / "r.html").read_text("utf-8"))
    models = [int(n) for n in re.findall(r"sites, (\d+) models?", found.text)]
    assert sum(models) == 5


def test_curves_that_contradict_the_measures_are_left_out(family, tmp_path):
    records = [json.loads(line) for path in (family / "results").iterdir() for line in path.open()]
    for record in records:
        record["measures"]["c3"] += 1
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, records)))
    done = CliRunner().invoke(app, ["report", str(tmp_path / "r.jsonl"), "-o", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.stderr
    found = Page()
    found.feed((tmp_path / "r.html").read_text("utf-8"))
    assert "do not hold a measure for every k" in found.text


def test_records_without_sites_or_ks_say_why_figures_are_missing(family, tmp_path):
    folder = tmp_path / "plain"
    assert icc("measure", family / "acts", "-o", folder).returncode == 0
    assert icc("report", folder, "-o", tmp_path / "r.html").returncode == 0
    done = icc("plot", "k", folder, cwd=tmp_path)
    assert done.returncode == 2 and "--all-k" in done.stderr
    text = (tmp_path / "r.html").read_text("utf-8")
    assert text.count("<figure>") == 3
    for option in ("--all-k", "--per-site", "--save-epochs"):
        assert option in text


@pytest.mark.parametrize("accuracy", [None, [0.5, 0.25, 0.75, 0.5]])
def test_the_models_come_first_whether_their_accuracies_are_known_or_not(accuracy, tmp_path):
    (tmp_path / "r.jsonl").write_text(text(models([[3, 1], [1, 3], [4, 4], [2, 2]], accuracy)))
    done = CliRunner().invoke(app, ["report", str(tmp_path / "r.jsonl"), "-o", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    found = Page()
    found.feed((tmp_path / "r.html").read_text("utf-8"))
    words = found.text.split("predicted to generalize best first", 1)[1]
    assert words.index("m2.pt") < words.index("m0.pt") < words.index("m3.pt")
    assert ("how well they order the models" in words) == (accuracy is not None)
    assert ("The measures are not ranked" in words) == (accuracy is None)


def test_a_lone_model_beside_others_is_left_out_with_a_note(tmp_path):
    grid = of_models(["vgg"] * 3 + ["wrn"], [*({"lr": lr} for lr in (1, 2, 3)), {}])
    (tmp_path / "r.jsonl").write_text(text(grid))
    for command, name in (
        ("report", "r.html"),
        ("plot scatter", "s.pdf"),
        ("plot psi", "p.svg"),
        ("plot axes", "a.svg"),
    ):
        done = CliRunner().invoke(app, [*command.split(), str(tmp_path / "r.jsonl"), "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert "wrn on digits is not ranked: there is one model" in done.stderr
    assert "wrn on digits is not ranked" in (tmp_path / "r.html").read_text("utf-8")
