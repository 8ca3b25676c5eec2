"""The report: one page that holds its numbers, needs no network, and draws in a browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from icc_cli import records
from icc_cli.cli import app
from icc_cli.plots.style import rounded
from tests.conftest import icc
from tests.ranking.test_order import models, of_models, text

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses, self.titles, self.open, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "xlink:href") and value]

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "title":
            self.titles.append(data)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


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


def test_nothing_is_fetched_from_anywhere(page):
    text = page.read_text("utf-8")
    found = Page()
    found.feed(text)
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert "@import" not in text and "<script" not in text
    assert not re.findall(r"url\((?!#)", text)


def test_a_browser_draws_it(page, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"needs a browser: one of {', '.join(BROWSERS)}")
    probe = tmp_path / "probe.html"
    # What the browser makes of the page: the size of each figure, and how many marks lie inside theirs.
    script = """<script>window.onload = () => {
      const lines = [...document.querySelectorAll('figure svg')].map(svg => {
        const box = svg.getBoundingClientRect();
        const marks = [...svg.querySelectorAll('.mark')].filter(mark => {
          const m = mark.getBoundingClientRect();
          return m.left >= box.left - 5 && m.right <= box.right + 5
            && m.top >= box.top - 5 && m.bottom <= box.bottom + 5;
        });
        return `${Math.round(box.width)} ${Math.round(box.height)} ${marks.length} ` +
          svg.querySelectorAll('.mark').length;
      });
      document.body.innerText = 'FIGURES ' + lines.join(' | ') + ' END';
    };</script></body>"""
    probe.write_text(page.read_text("utf-8").replace("</body>", script), "utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run([*command, "--dump-dom", probe.as_uri()], capture_output=True, text=True, timeout=200)
    match = re.search(r"FIGURES (.*) END", done.stdout)
    assert match, done.stderr[-500:]
    figures = [tuple(map(int, line.split())) for line in match.group(1).split(" | ")]
    assert len(figures) == 4, "scatter, k, sites and training"
    for width, height, inside, marks in figures:
        assert width > 300 and height > 100
        assert inside == marks > 0


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
    words = found.text.split("Which generalize best")[1]
    assert words.index("m2.pt") < words.index("m0.pt") < words.index("m3.pt")
    assert ("Granulated Kendall" in words) == (accuracy is not None)
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
