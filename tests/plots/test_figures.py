"""Every figure as a user makes it: the file, the numbers beside it, and what is drawn, against the records."""

import csv
import json
import statistics
import warnings
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import replace

import h5py
import numpy as np
import pytest

from icc_cli import records
from icc_cli.catalog import About
from icc_cli.plots import along_training, k_curves, neuron_choice, scatter, sites
from icc_cli.plots.figure import Given
from icc_cli.plots.style import COLOURS, Drawing, Levels, label, panels, rounded
from icc_cli.ranking.sources.sets import RecordSet
from icc_cli.records import Described
from tests.conftest import SHARED, icc
from tests.oracle import is_dead, selectivities

MEASURES = ("c1", "c2", "c3", "c4")
BEGINNINGS = {".pdf": b"%PDF-", ".png": b"\x89PNG", ".svg": b"<?xml"}


def plot(family, figure, *arguments, suffix=".png", folder):
    """Run `icc plot FIGURE` and reopen the rows that it wrote, numbers as numbers."""
    path, data = folder / f"{figure}{suffix}", folder / f"{figure}.csv"
    done = icc("plot", figure, *arguments, "-o", path, "--data", data, cwd=family)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(path), str(data)]
    assert path.read_bytes().startswith(BEGINNINGS[suffix])
    return typed(data)


def typed(path):
    with path.open(newline="") as file:
        return [{key: value_of(text) for key, text in row.items()} for row in csv.DictReader(file)]


def value_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return {"": None, "True": True, "False": False}.get(text, text)


def read(folder):
    return [record for path in sorted(folder.iterdir()) for record in map(records.as_json, records.read(path))]


def loaded(folder, **hparams):
    """The records of a folder with these hyperparameters, as the figures take them."""
    found = [(str(path), record) for path in sorted(folder.iterdir()) for record in records.read(path)]
    return Given(RecordSet("", tuple(one for one in found if hparams.items() <= one[1].hparams.items())))


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_scatter_shows_the_records_and_ranks_them_as_rank_does(family, tmp_path, suffix):
    rows = plot(family, "scatter", "results", "--color", "lr", suffix=suffix, folder=tmp_path)
    expected = {
        (record["checkpoint"], name): (record["measures"][name], record["metrics"]["test_accuracy"], record["hparams"])
        for record in read(family / "results")
        for name in MEASURES
    }
    assert len(rows) == len(expected) == 8 * 4
    for row in rows:
        value, accuracy, hparams = expected[row["checkpoint"], row["measure"]]
        assert (row["value"], row["goal"], row["level"]) == (value, accuracy, hparams["lr"])
    ranked = [json.loads(line) for line in icc("rank", "results", "--no-controls", cwd=family).stdout.splitlines()]
    for line in ranked:
        assert {(row["Psi"], row["tau"]) for row in rows if row["measure"] == line["measure"]} == {
            (line["Psi"], line["tau"])
        }
    axes = [axes for axes in scatter.draw(rows).figure.axes if axes.get_visible()]
    assert len({panel.get_ylim() for panel in axes}) == 1
    for panel, name in zip(axes, MEASURES, strict=True):
        points = np.concatenate([collection.get_offsets() for collection in panel.collections])
        mine = [(row["value"], row["goal"]) for row in rows if row["measure"] == name]
        assert sorted(map(tuple, points.tolist())) == sorted(mine)
        psi = next(row["Psi"] for row in rows if row["measure"] == name)
        assert rounded(psi) in panel.get_title()


def test_scatter_of_any_table(tmp_path):
    table = SHARED / "data" / "pgdl_task1.csv"
    if not table.exists():
        pytest.skip(f"needs {table}")
    hparams = "bs,convwidth,dense_width,dropout_p,num_conv_blocks,num_dense_layers,weight_decay"
    rows = plot(
        tmp_path, "scatter", table, "--hparams", hparams, "--target", "gen_gap", "--measures", "VPM_1,VR",
        folder=tmp_path,
    )  # fmt: skip
    assert len(rows) == 2 * 96
    for row in rows:
        assert row["Psi"] == pytest.approx({"VPM_1": 0.395833, "VR": 0.479167}[row["measure"]], abs=1e-6)


def test_k_is_ranks_own_number_at_every_k_and_c1s_axis_counts_subclasses(family, tmp_path):
    rows = plot(family, "k", "results", folder=tmp_path)
    largest = max(sum(site["neurons"] for site in record["sites"]) for record in read(family / "results"))
    for name in ("c1", "c3"):
        mine = [row for row in rows if row["measure"] == name]
        assert (mine[0]["k"], mine[-1]["k"]) == (1, largest)
        shown = mine[:: len(mine) // 5]
        columns = ",".join(f"{name}@k={row['k']}" for row in shown)
        done = icc("rank", "results", "--measures", columns, "--bootstrap", 2000, cwd=family)
        ranked = {line["measure"]: line for line in map(json.loads, done.stdout.splitlines())}
        for row in shown:
            line = ranked[f"{name}@k={row['k']}"]
            assert row["Psi"] == pytest.approx(line["Psi"])
            assert [row["low"], row["high"]] == pytest.approx(line["Psi_interval"])
            # Ten digits in three superclasses.
            assert row["neurons_per_class"] == pytest.approx(row["k"] * (10 / 3 if name == "c1" else 1))
    (axes,) = k_curves.draw(rows).figure.axes
    for line, name in zip(axes.lines, ("c1", "c3"), strict=False):
        mine = [(row["neurons_per_class"], row["Psi"]) for row in rows if row["measure"] == name]
        assert list(zip(*line.get_data(), strict=True)) == mine


def test_sites_are_means_over_models_of_equal_depth(family, tmp_path):
    rows = plot(family, "sites", "results", folder=tmp_path)
    values = defaultdict(list)
    for record in read(family / "results"):
        for place, site in enumerate(record["sites"], 1):
            for name in MEASURES:
                values[len(record["sites"]), name, place].append(site[name])
    assert len({depth for depth, _, _ in values}) == 2, "the family has two depths"
    assert len(rows) == len(values)
    for row in rows:
        mine = values[row["depth"], row["measure"], row["site"]]
        assert row["models"] == len(mine) == 4
        assert row["mean"] == pytest.approx(statistics.mean(mine))
        assert row["sd"] == pytest.approx(statistics.stdev(mine))
    for axes, name in zip(sites.draw(rows).figure.axes, MEASURES, strict=True):
        for line, depth in zip(axes.lines, sorted({row["depth"] for row in rows}), strict=True):
            mine = [row["mean"] for row in rows if (row["measure"], row["depth"]) == (name, depth)]
            assert line.get_ydata().tolist() == mine
            # Networks of two depths lie over each other, from the first site to the last.
            assert line.get_xdata() == pytest.approx(np.linspace(0, 1, depth))


def test_sites_of_one_depth_are_numbered(family):
    rows = sites.rows(loaded(family / "results", depth=1))
    first = sites.draw(rows).figure.axes[0]
    assert first.lines[0].get_xdata().tolist() == list(range(1, rows[0]["depth"] + 1))
    assert first.get_xlabel() == "site"
    assert [text.get_text() for text in first.get_legend().get_texts()] == [f"{rows[0]['depth']} sites, 4 models"]


def test_sites_and_training_draw_whatever_was_measured_in_panels_that_can_be_read(family):
    strange = Described(About("firing", symbol="$f'$"), {})
    found = []
    for where, record in loaded(family / "epochs-results").models.found:
        more = {f"m{i}": 0.5 + i for i in range(5)} | {"firing": 0.25}
        places = tuple(replace(site, measures={**site.measures, **more}) for site in record.sites)
        changed = replace(record, measures={**record.measures, **more}, sites=places, described={"firing": strange})
        found.append((where, changed))
    models = RecordSet("mine", tuple(found))
    for figure, height, last in ((sites, 3, []), (along_training, 4, ["training accuracy", "test accuracy"])):
        rows = figure.rows(Given(models))
        drawn = figure.draw(rows).figure
        titles = [axes.get_title() for axes in drawn.axes if axes.get_visible() and axes.get_title()]
        assert titles[4:] == ["m0", "m1", "m2", "m3", "m4", "$f\N{PRIME}$", *last]
        assert drawn.axes[0].get_gridspec().nrows == height


def test_the_accuracies_along_training_have_one_scale(family):
    rows = along_training.rows(loaded(family / "epochs-results"))
    axes = {panel.get_title(): panel for panel in along_training.draw(rows).figure.axes}
    assert axes["training accuracy"].get_ylim() == axes["test accuracy"].get_ylim()


@pytest.mark.parametrize("name", ["inv_sigma", "inv_alpha_kernels", "inv_sigma@target=0.9"])
def test_primes_are_primes_in_the_fonts_that_everybody_has(tmp_path, name, caplog):
    with panels(1, 1, 1.0) as (figure, grid):
        grid[0][0].set_title(label(name))
    with caplog.at_level("WARNING"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for suffix in (".svg", ".pdf"):
            Drawing(figure).save(tmp_path / f"x{suffix}")
    assert not caplog.records, "a font was warned about"
    texts = [element.text or "" for element in ElementTree.parse(tmp_path / "x.svg").getroot().iter()]
    assert texts.count("\N{PRIME}") == (2 if "kernels" in name else 1)
    assert "cmsy10" not in (tmp_path / "x.svg").read_text()


def test_training_has_a_line_for_each_run(family, tmp_path):
    rows = plot(family, "training", "epochs-results", folder=tmp_path)
    assert {row["epoch"] for row in rows} == {0, 2, 6}
    assert len({row["run"] for row in rows}) == 8
    for record in read(family / "epochs-results"):
        h = record["hparams"]
        run = f"depth {h['depth']:g}, lr {h['lr']:g}, optimizer {h['optimizer']}"
        mine = {row["quantity"]: row["value"] for row in rows if (row["run"], row["epoch"]) == (run, record["epoch"])}
        wanted = {**record["measures"], **{k: record["metrics"][k] for k in ("train_accuracy", "test_accuracy")}}
        assert mine == wanted
    axes = [axes for axes in along_training.draw(rows).figure.axes if axes.lines]
    assert [len(panel.lines) for panel in axes] == [8] * 6
    first = [(row["epoch"], row["value"]) for row in rows if row["quantity"] == "c1"][:3]
    assert list(zip(*axes[0].lines[0].get_data(), strict=True)) == first


def test_neurons_finds_the_most_selective_ones(family, tmp_path):
    path = sorted((family / "acts").iterdir())[0]
    rows = plot(family, "neurons", path, "--count", 1, "--images", "auto", folder=tmp_path)
    with h5py.File(path) as cache:
        groups = list(cache["sites"].values())
        columns = [np.asarray(group["preactivations"], np.float64) for group in groups]
        names = [group.attrs["name"] for group in groups]
        labels, sublabels = cache["labels/class"][:], cache["labels/subclass"][:]
    place = [(name, i) for name, site in zip(names, columns, strict=True) for i in range(site.shape[1])]
    flat = np.concatenate(columns, axis=1)
    ratios = np.array(
        [
            [0.0 if is_dead(c) else np.std(c[labels == label]) / (np.std(c) + 1e-7) for c in flat.T]
            for label in sorted(set(labels))
        ]
    )
    selective = np.array(selectivities(columns, labels, sublabels))
    for kind, table, around in (("c3", ratios, None), ("c1", selective, "class")):
        mine = [row for row in rows if row["measure"] == kind]
        group, neuron = np.unravel_index(np.argmax(table), table.shape)
        assert mine[0]["score"] == pytest.approx(table.max())
        assert (mine[0]["site"], mine[0]["neuron"]) == place[neuron]
        values = flat[:, neuron]
        if around is None:
            inside, outside = labels == group, np.ones(len(labels), bool)
        else:
            pairs = sorted(set(zip(labels.tolist(), sublabels.tolist(), strict=True)))
            inside = (labels == pairs[group][0]) & (sublabels == pairs[group][1])
            outside = (labels == pairs[group][0]) & ~inside
        edges = [row["low"] for row in mine] + [mine[-1]["high"]]
        assert [row["density"] for row in mine] == pytest.approx(np.histogram(values[inside], edges, density=True)[0])
        assert [row["density_around"] for row in mine] == pytest.approx(
            np.histogram(values[outside], edges, density=True)[0]
        )


def test_neurons_along_training_keep_those_of_the_last_epoch(family, tmp_path):
    paths = sorted((family / "epochs-acts").glob("*d1-lr0.1*sgd*"))
    assert len(paths) == 3
    rows = plot(family, "neurons", *reversed(paths), "--count", 2, folder=tmp_path)
    assert list(dict.fromkeys(row["cache"] for row in rows)) == ["epoch 0", "epoch 2", "epoch 6"]
    first, last = (
        list(dict.fromkeys((r["measure"], r["site"], r["neuron"], r["group"]) for r in rows if r["cache"] == cache))
        for cache in ("epoch 0", "epoch 6")
    )
    assert first == last
    alone = plot(family, "neurons", paths[-1], "--count", 2, folder=tmp_path)
    assert [r["score"] for r in alone] == [r["score"] for r in rows if r["cache"] == "epoch 6"]


def test_a_chosen_neuron_and_a_chosen_label(family, tmp_path):
    path = sorted((family / "acts").iterdir())[0]
    with h5py.File(path) as cache:
        site = cache["sites/001"].attrs["name"]
    rows = plot(family, "neurons", path, "--neuron", f"{site}:2", folder=tmp_path)
    assert {(row["site"], row["neuron"]) for row in rows} == {(site, 2)}
    assert {row["measure"] for row in rows} == {"c1", "c3"}
    rows = plot(family, "neurons", path, "--label", "7", "--count", 2, folder=tmp_path)
    assert {(row["measure"], row["group"]) for row in rows} == {("c1", 7)}


@pytest.mark.parametrize("name", ["long " * 9000, "\x1b[31m\n\r\t", "鸟", "$x", "$\\frac$", "a, b"])
def test_any_name_is_drawn_without_a_warning(name, family, tmp_path, recwarn):
    path = tmp_path / "named.h5"
    path.write_bytes(sorted((family / "acts").iterdir())[0].read_bytes())
    with h5py.File(path, "r+") as cache:
        metadata = json.loads(cache.attrs["metadata"])
        cache.attrs["metadata"] = json.dumps({**metadata, "label_names": [name] * 10})
    rows = plot(family, "neurons", path, "--count", 1, folder=tmp_path)
    assert {row["group"] for row in rows if row["measure"] == "c3"} == {name}
    assert not [str(warning.message) for warning in recwarn if issubclass(warning.category, UserWarning)]


@pytest.mark.parametrize("text", ["x" * 100_000, "$\\frac$", "$" + 200 * "x^" + "$", "\x1b[31m\r\n\t\x85"])
def test_any_text_of_a_figure_is_drawn_without_a_warning(text, tmp_path, recwarn):
    name = f"c4@convention={text}"
    with panels(1, 1, 1.0) as (figure, grid):
        axes = grid[0][0]
        axes.plot([0, 1], [0, 1], label=text)
        axes.set_title(text)
        axes.set_xlabel(label(name))
        axes.set_yticks([0], [label(name)])
        axes.legend()
    for suffix in BEGINNINGS:
        Drawing(figure).save(tmp_path / f"a{suffix}")
    shown = [axes.get_title(), axes.get_xlabel(), *(t.get_text() for t in axes.get_yticklabels())]
    assert all(len(line) < 150 and line.isprintable() for text in shown for line in text.split("\n"))
    assert (tmp_path / "a.svg").stat().st_size < 10**6
    assert not [str(warning.message) for warning in recwarn]


def test_mathematics_beside_a_line_feed_is_not_complained_of(tmp_path, caplog):
    with panels(1, 1, 1.0) as (figure, grid):
        grid[0][0].set_title("$c_1$\nsecond line, $c_2$")
    Drawing(figure).save(tmp_path / "a.svg")
    assert grid[0][0].get_title() == "$c_1$\nsecond line, $c_2$" and not caplog.records


@pytest.mark.parametrize("name", ["c3@k=1,layer_k=5,convention=reference", "my_measure", "c1"])
def test_what_is_short_enough_is_drawn_as_it_is(name):
    base, _, settings = name.partition("@")
    assert label(name).endswith(f"({settings})" if settings else {"c1": "$c_1$"}.get(base, "my measure"))


def test_the_contact_sheet_holds_the_strongest_images(family):
    from icc_cli.cache import open_cache

    path = sorted((family / "acts").iterdir())[0]
    with open_cache(path) as cache:
        chosen = neuron_choice.most_selective(cache, neuron_choice.groups_of(cache), 1)
        found = neuron_choice.shown(cache, chosen)
        for (_, site, neuron), best in neuron_choice.sheet_rows(found).items():
            column = next(s for s in cache.sites if s.name == site).rows(0, len(cache.labels))[:, neuron]
            assert set(column[best]) == set(sorted(column)[-neuron_choice.IMAGES :])


def unlike(family):
    """A file beside the family of two models that differ in more than one hyperparameter."""
    first, second = (
        next(path for path in (family / "results").iterdir() if all(part in path.name for part in parts))
        for parts in (("d1-", "lr0.03", "sgd"), ("d1.5-", "lr0.1", "adam"))
    )
    (family / "two.jsonl").write_text(first.read_text() + second.read_text())
    return family / "two.jsonl"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("scatter", "results", "-o", "x.jpg"), 2, "x.jpg"),
        (("scatter", "results", "--color", "speed"), 2, "no hyperparameter 'speed'"),
        (("scatter", "nowhere"), 2, "no file nowhere"),
        (("scatter", "results", "--data", "x.txt"), 2, "CSV"),
        (("psi", "results", "--interval", "sideways"), 2, "sideways"),
        (("psi", "two"), 2, "varies alone"),
        (("axes", "two"), 2, "varies alone"),
        (("k", "two"), 2, "varies alone"),
        (("training", "results"), 2, "--save-epochs"),
        (("sites", "acts"), 2, "holds no"),
        (("neurons", "acts", "--neuron", "nothing:1"), 2, "no site 'nothing'"),
        (("neurons", "acts", "--neuron", "nothing"), 2, "SITE:N"),
        (("neurons", "acts", "--label", "zebra"), 2, "'zebra'"),
        (("neurons", "results"), 2, "holds no .h5"),
        (("report", "results", "-o", "report.pdf"), 2, "report.pdf"),
    ],
)
def test_bad_input_is_one_sentence(family, tmp_path, arguments, code, words):
    if "two" in arguments:
        arguments = [unlike(family) if a == "two" else a for a in arguments]
    arguments = [family / a if a in ("results", "epochs-results", "acts") else a for a in arguments]
    head = ("report",) if arguments[0] == "report" else ("plot", arguments[0])
    done = icc(*head, *arguments[1:], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_without_matplotlib_the_sentence_names_the_extra(family, tmp_path, monkeypatch):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ImportError('no matplotlib')")
    done = icc("plot", "scatter", family / "results", cwd=tmp_path)
    # The folder of the command comes first on the path of `python -m`, so the broken package hides the real one.
    assert done.returncode == 2 and "icc-cli[plot]" in done.stderr


def test_the_same_records_give_the_same_file(family, tmp_path):
    for suffix in (".svg", ".pdf"):
        first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        for path in (first, second):
            assert icc("plot", "sites", family / "results", "-o", path).returncode == 0
        assert first.read_bytes() == second.read_bytes()


def test_text_in_an_svg_stays_text(family, tmp_path):
    icc("plot", "scatter", family / "results", "-o", tmp_path / "x.svg")
    words = "".join(ElementTree.parse(tmp_path / "x.svg").getroot().itertext())
    assert "test accuracy" in words


def test_levels_are_told_apart_by_colour_and_marker():
    words = Levels.of("optimizer", ["sgd", "adam", "sgd"])
    assert words.values == ("adam", "sgd") and words.colour("sgd") == COLOURS[1]
    assert words.marker("sgd") != words.marker("adam")
    few = Levels.of("lr", [0.1, 0.01, 0.1])
    assert few.values == (0.01, 0.1) and few.colour(0.01) != few.colour(0.1)
    assert Levels.of("lr", [i / 10 for i in range(12)]).continuous
    assert Levels.of("augmentation", [True, False]).colour(True) in COLOURS


@pytest.mark.parametrize(
    ("value", "text"), [(0.474, ".47"), (-0.049, "−.05"), (1.0, "1.00"), (-0.001, ".00"), (None, "–"), (-1.0, "−1.00")]
)
def test_coefficients_are_printed_as_papers_do(value, text):
    assert rounded(value) == text


def test_k_agrees_with_the_table_in_sign(family, tmp_path):
    """Also for a target to be small, for which c1 and c3 have direction -1."""
    target = ("--target", "generalization_gap")
    done = icc("plot", "k", family / "results", *target, "-o", tmp_path / "k.pdf", "--data", tmp_path / "k.csv")
    assert done.returncode == 0, done.stderr
    printed = icc(
        "rank", family / "results", *target, "--measures", "c1@k=*,c3@k=*", "--no-controls", "--format", "json"
    )
    table = {row["measure"]: row for row in map(json.loads, printed.stdout.splitlines())}
    with (tmp_path / "k.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert any(float(row["Psi"]) for row in rows)
    for row in rows:
        ranked = table[f"{row['measure']}@k={row['k']}"]
        assert ranked["direction"] == -1
        assert float(row["Psi"]) == ranked["Psi"]
        assert [float(row["low"]), float(row["high"])] == ranked["Psi_interval"]
