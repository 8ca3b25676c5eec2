"""The report as a page: well-formed, self-contained, true to `icc rank`, deaf to what records say, and readable."""

import html
import json
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from icc_cli.cli import app
from icc_cli.plots.style import rounded
from tests.conftest import ROOT
from tests.plots.parsed import Page
from tests.ranking.test_order import models, of_models, text

RECORDS = ROOT / "studies" / "cifar100-superclasses" / "records"
NAMES = ("measures", "sharpness", "results-epochs")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = [
    "<script>alert(1)</script>.pt",
    "<img src=x onerror=alert(1)>.pt",
    "a' onmouseover='alert(1).pt",
    'b" onmouseover="alert(1).pt',
    "$x_{$\\frac$.pt",
    "</title></svg>&amp;.pt",
]


def run(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The committed study: eight hyperparameters, eight measures, and some networks along training."""
    path = tmp_path_factory.mktemp("page") / "records.jsonl"
    path.write_text("".join((RECORDS / f"{name}.jsonl").read_text("utf-8") for name in NAMES), "utf-8")
    return path


@pytest.fixture(scope="module")
def last(records):
    """Its records without those along training."""
    lines = [line for line in records.open() if not re.search(r"-epoch\d+\.pt", line)]
    path = records.parent / "last.jsonl"
    path.write_text("".join(lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def study(records):
    """The page of it."""
    path = records.parent / "report.html"
    run("report", records, "-o", path, "-q")
    return path


def test_it_is_well_formed_and_fetches_nothing(study):
    source = study.read_text("utf-8")
    page = Page(source)
    assert not page.open, "all that is opened is closed"
    assert all(address.startswith(("#", "data:image/png")) for address in page.addresses)
    assert (
        not page.handlers and page.tags.count("script") == 1 and page.tags.count("style") == 1 + page.tags.count("svg")
    )
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "@import" not in source and not re.findall(r"url\((?!#)", source)
    assert "default-src 'none'" in source
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\s\"'<]+", source)) <= namespaces


def test_it_holds_the_numbers_of_rank(study, last):
    page = Page(study.read_text("utf-8"))
    for row in map(json.loads, run("rank", last, "--format", "json", "-q").splitlines()):
        low, high = map(rounded, row["Psi_interval"])
        assert f"{rounded(row['Psi'])}{low} to {high}" in page.cells
        for cell in row["axes"].values():
            low, high = map(rounded, cell["interval"])
            assert f"{rounded(cell['psi'])}{low} to {high}" in page.cells
    first = json.loads(run("rank", last, "--checkpoints", "--format", "json", "-q").splitlines()[0])
    best = page.text.index("predicted to generalize best first")
    assert f"wrn on cifar100/{first['checkpoint']}" == next(one for one in page.models), (
        "the first row is the best model"
    )
    assert best < page.text.index("Along each hyperparameter") < page.text.index("What was run")


def test_what_was_run_is_said_in_words(study):
    page = Page(study.read_text("utf-8"))
    ran = page.text[page.text.index("What was run") :]
    assert "num classes 20" in ran and "adam (36 models), sgd (39)" in ran
    assert not re.search(r"[{}\[\]]|None|True|False|null", ran)


def test_a_model_is_one_in_all_panels_and_tables(study):
    page = Page(study.read_text("utf-8"))
    name = "wrn on cifar100/wrn-drop0-w1-d1-lr0.2-bs50-wd0-optimizersgd-augfalse-seed0.pt"
    assert page.models.count(name) == 2 + 8, "two tables and the panels of eight measures"


@pytest.mark.parametrize("known", [True, False])
def test_names_stay_text(known, tmp_path):
    values = [[i + 1, (i * 5) % 7] for i in range(len(HOSTILE))]
    found = models(values, [0.1 * i for i in range(len(HOSTILE))] if known else None)
    for one, name in zip(found, HOSTILE, strict=True):
        one |= {"checkpoint": name, "notes": [f"note of {name}"], "model": {"spec": name, "args": {name: name}}}
        one["hparams"] = {name: name}
    (tmp_path / "r.jsonl").write_text(text(found))
    run("report", tmp_path / "r.jsonl", "-o", tmp_path / "r.html", "-q")
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert not page.open and not page.handlers and page.tags.count("script") == 1 and "img" not in page.tags
    assert all(name in page.text for name in HOSTILE)


def test_without_matplotlib_there_is_one_sentence(tmp_path):
    (tmp_path / "r.jsonl").write_text(text(models([[3, 1], [1, 3], [4, 4]])))
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ImportError('not here')")
    for command in ("report", "plot scatter", "plot psi"):
        done = subprocess.run(
            [sys.executable, "-m", "icc_cli", *command.split(), "r.jsonl"],
            cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        )  # fmt: skip
        assert done.returncode == 2 and not done.stdout
        assert done.stderr.startswith("icc: error: figures need matplotlib, which is not installed.")
        assert "pip install" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "report.html").exists()


def probed(page, tmp_path, script, width=1400, options=()):
    """What `script`, JavaScript, finds on a page that a browser has loaded in a frame of `width` pixels."""
    if BROWSER is None:
        pytest.skip("needs a browser, such as Debian's chromium: THE REPORT IS NOT LOOKED AT IN ONE")
    source = page.read_text("utf-8").replace('http-equiv="Content-Security-Policy"', "data-policy")
    own = f"<script>onload = () => parent.postMessage(JSON.stringify((() => {{{script}}})()), '*');</script></body>"
    (tmp_path / "probe.html").write_text(source.replace("</body>", own), "utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!DOCTYPE html><html><head><meta name='color-scheme' content='light dark'></head><body><script>"
        "onmessage = event => { document.body.innerText = `FOUND ${event.data} END`; };</script>"
        f"<iframe src='probe.html' style='border: 0' width={width} height=1000></iframe></body></html>"
    )
    found = re.search(r"FOUND (.*) END", dumped(frame, tmp_path, options))
    return SimpleNamespace(**json.loads(html.unescape(found.group(1))))


def dumped(page, tmp_path, options=()):
    """The document that a browser makes of a page."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=9000", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


LAYOUT = """
  document.querySelectorAll('details').forEach(each => { each.open = true; });
  const box = each => each.getBoundingClientRect();
  const all = (what, where) => [...(where ?? document).querySelectorAll(what)];
  const inner = box(document.querySelector('main'));
  return {
    width: innerWidth, inner: document.documentElement.clientWidth, scroll: document.documentElement.scrollWidth,
    beyond: all('main > *, .beside > *').filter(each => box(each).right > inner.right + 1).length,
    hidden: all('.scroll').filter(each => each.scrollWidth > each.clientWidth + 1 && !each.closest('details')).length,
    figures: all('figure svg').map(svg => [box(svg).width, box(svg).height, all('.mark', svg).length,
      all('.mark', svg).filter(mark => box(mark).left >= box(svg).left - 5 && box(mark).right <= box(svg).right + 5
        && box(mark).top >= box(svg).top - 5 && box(mark).bottom <= box(svg).bottom + 5).length]),
    letters: Math.min(...all('figure svg text').map(each => box(each).height).filter(Boolean)),
    paper: getComputedStyle(document.body).backgroundColor,
    sticky: all('.scroll').filter(each => each.querySelector('table')).map(each => {
      each.scrollLeft = 200;
      return box(each.querySelector('tbody th')).left - box(each).left;
    }),
  };"""


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_browser_shows_it_whole(study, tmp_path, width, scheme):
    found = probed(study, tmp_path, LAYOUT, width, [f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"])
    assert found.width == width and found.scroll <= found.inner and not found.beyond
    if width == 1400:
        assert not found.hidden, "nothing is off the page"
    assert all(abs(left) < 2 for left in found.sticky), "the first columns stay in sight"
    assert len(found.figures) == 6, "psi, axes, scatter, k, sites and training"
    for wide, high, marks, inside in found.figures:
        assert wide > 300 and high > 100 and marks == inside > 0
    assert found.letters >= 7, "pixels"
    assert found.paper == {"dark": "rgb(18, 18, 18)", "light": "rgb(255, 255, 255)"}[scheme]


DOINGS = """
  const all = (what, where) => [...(where ?? document).querySelectorAll(what)];
  const [order, measures] = all('table'), lit = () => all('.lit').length;
  const column = (table, n) => all('tbody tr', table).filter(row => !row.hidden)
    .map(row => row.cells[n].firstChild.textContent);
  const point = (one, kind) => one.dispatchEvent(new MouseEvent(kind, {bubbles: true}));
  const found = {before: lit()};
  const row = order.tBodies[0].rows[0];
  point(row.cells[1], 'mouseover'); found.hovered = lit();
  point(row.cells[1], 'click'); point(document.body, 'mouseover'); found.held = lit();
  document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})); found.let_go = lit();
  const mark = document.querySelector('figure .mark[data-of]');
  point(mark, 'mouseover'); found.mark = lit(); found.said = document.querySelector('output').textContent;
  all('thead button', order)[1].click(); found.up = column(order, 1);
  all('thead button', order)[1].click(); found.down = column(order, 1);
  all('thead button', measures)[1].click(); found.psi = column(measures, 1);
  const input = document.querySelector('.filter input'), type = text => {
    input.value = text; input.dispatchEvent(new Event('input')); return column(order, 1).length; };
  found.words = type('optimizeradam augtrue'); found.compared = type('place<=5'); found.nothing = type('zzz');
  found.all = type('');
  return found;"""


def test_a_browser_sorts_filters_and_lights(study, last, tmp_path):
    found = probed(study, tmp_path, DOINGS)
    assert (found.before, found.hovered, found.held, found.let_go) == (0, 10, 10, 0)
    assert found.mark > 1 and found.said
    places = [float(place) for place in found.up]
    assert places == sorted(places) and len(set(places)) > 50 and [float(one) for one in found.down] == places[::-1]
    coefficients = [float(text.replace("−", "-")) for text in found.psi]
    assert coefficients == sorted(coefficients) and coefficients[0] < 0
    names = {json.loads(line)["checkpoint"] for line in last.open()}
    assert found.words == sum("optimizeradam" in name and "augtrue" in name for name in names) > 0
    assert found.compared == sum(place <= 5 for place in places)
    assert (found.nothing, found.all) == (0, len(names))


def test_its_own_policy_lets_its_script_run(study, tmp_path):
    if BROWSER is None:
        pytest.skip("needs a browser, such as Debian's chromium")
    assert '<button title="Sort by this column">' in dumped(study, tmp_path)


def test_one_hyperparameter_has_no_interval_and_is_not_said_to_have(tmp_path):
    (tmp_path / "r.jsonl").write_text(text(of_models([f"nets.py:resnet{depth}" for depth in (8, 14, 20, 26)])))
    run("report", tmp_path / "r.jsonl", "-o", tmp_path / "r.html", "-q")
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert "Highest Ψ with test_accuracy: c1, 1.00. One hyperparameter alone gives no intervals" in page.text


def test_few_measures_and_several_sets_have_a_page_too(tmp_path):
    grid = of_models(["vgg"] * 3 + ["wrn"] * 3, [{"lr": lr, "wd": wd} for wd in (0, 1) for lr in (1, 2, 3)])
    (tmp_path / "r.jsonl").write_text(text(grid))
    run("report", tmp_path / "r.jsonl", "-o", tmp_path / "r.html", "-q")
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert not page.open and "vgg on digits in detail" in page.text and "wrn on digits in detail" in page.text
