"""The figures of rankings: the dots and the map are `icc rank`'s numbers, and few models go by their names."""

import json

import pytest

from icc_cli.cli import plot as commands
from icc_cli.plots import axes, psi, scatter
from icc_cli.plots.figures import FIGURES, figure
from icc_cli.plots.names import LONGEST, short
from icc_cli.plots.style import GREY, label
from tests.conftest import icc
from tests.plots.test_figures import plot


def ranked(family, *options):
    return [json.loads(line) for line in icc("rank", "results", *options, cwd=family).stdout.splitlines()]


@pytest.mark.parametrize("interval", ["across", "within"])
def test_a_dot_and_its_line_are_psi_and_its_interval(family, tmp_path, interval):
    rows = plot(family, "psi", "results", "--interval", interval, folder=tmp_path)
    lines = {line["measure"]: line for line in ranked(family, "--interval", interval)}
    assert {row["measure"] for row in rows} == {name for name, line in lines.items() if line["Psi"] is not None}
    for row in rows:
        line = lines[row["measure"]]
        assert (row["Psi"], [row["low"], row["high"]]) == (line["Psi"], line["Psi_interval"])
        assert row["control"] == bool(line.get("control")) and row["interval"] == line["interval"]
    (panel,) = psi.draw(rows).figure.axes
    names = [text.get_text() for text in panel.get_yticklabels()]
    order = sorted(rows, key=lambda row: (row["control"], -row["Psi"]))
    assert names == [label(row["measure"]) for row in order]
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    for row in rows:
        place = names.index(label(row["measure"]))
        (dot,) = [dot for dot in dots if dot.get_ydata()[0] == place]
        assert dot.get_xdata()[0] == row["Psi"]
        assert (dot.get_color() == GREY) == row["control"] == (dot.get_markerfacecolor() == "white")
        (bar,) = [line for line in panel.lines if line.get_marker() != "o" and list(line.get_ydata()) == [place] * 2]
        assert list(bar.get_xdata()) == [row["low"], row["high"]]


def test_sets_have_a_panel_each_in_one_order():
    def row(one, name, value):
        given = {"symbol": "", "control": False, "target": "acc", "models": 9, "low": None, "high": None}
        return {"set": one, "measure": name, "Psi": value, "interval": "across studies", "confidence": 0.95, **given}

    rows = [row("a", "m", 0.1), row("a", "n", 0.2), row("b", "m", 0.5), row("b", "n", 0.3), row("b", "o", 0.2)]
    first, second = psi.draw(rows).figure.axes
    assert psi.ordered(rows) == ["m", "n", "o"]
    assert [line.get_xdata()[0] for line in first.lines if line.get_marker() == "o"] == [0.1, 0.2]
    assert [line.get_xdata()[0] for line in second.lines if line.get_marker() == "o"] == [0.5, 0.3, 0.2]
    assert first.get_xlim() == second.get_xlim() and first.get_ylim() == (2.5, -0.5)


def test_the_map_holds_every_psi_and_brackets_the_unsure(family, tmp_path):
    rows = plot(family, "axes", "results", folder=tmp_path)
    found = {(row["measure"], row["axis"]): row for row in rows}
    for line in ranked(family):
        for axis, cell in line["axes"].items():
            row = found.pop((line["measure"], axis))
            assert (row["psi"], [row["low"], row["high"]]) == (cell["psi"], cell["interval"])
            assert row["groups"] == cell["groups"]
        row = found.pop((line["measure"], "Psi"))
        assert (row["psi"], [row["low"], row["high"]]) == (line["Psi"], line["Psi_interval"])
    assert not found
    (panel,) = axes.draw(rows).figure.axes
    texts = {(round(text.get_position()[0]), text.get_position()[1]): text.get_text() for text in panel.texts}
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    columns = list(dict.fromkeys(row["axis"] for row in rows))
    assert columns[-1] == "Psi" and len(texts) == len(rows) == len(panel.patches)
    for row in rows:
        text = texts[columns.index(row["axis"]), measures.index(row["measure"])]
        assert text.startswith("(") == (row["low"] <= 0 <= row["high"])
        assert float(text.strip("()").replace("−", "-")) == pytest.approx(row["psi"], abs=0.00501)


def test_a_cell_without_a_group_stays_empty():
    row = {"set": "", "measure": "m", "symbol": "", "control": False, "groups": 0, "low": None, "high": None}
    rows = [{**row, "axis": "lr", "psi": None}, {**row, "axis": "Psi", "psi": 0.5, "low": 0.1, "high": 0.9}]
    (panel,) = axes.draw(rows).figure.axes
    assert [text.get_text() for text in panel.texts] == [".50"]


def test_few_models_have_a_colour_and_a_name_each(family, tmp_path):
    few = [path for path in sorted((family / "results").iterdir()) if "sgd" in path.name]
    rows = plot(family, "scatter", *few, folder=tmp_path)
    names = {row["level"] for row in rows}
    assert {row["colour"] for row in rows} == {"checkpoint"} and names == {
        "d1-lr0.03", "d1-lr0.1", "d1.5-lr0.03", "d1.5-lr0.1",
    }  # fmt: skip
    (legend,) = scatter.draw(rows).figure.legends
    assert {text.get_text() for text in legend.get_texts()} == names
    chosen = plot(family, "scatter", *few, "--color", "lr", folder=tmp_path)
    assert {row["colour"] for row in chosen} == {"lr"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["run-a-lr1.pt", "run-b-lr1.pt"], ["a", "b"]),
        (["x/epoch1.pt", "y/epoch1.pt"], ["x", "y"]),
        (["a-b.pt", "a.pt"], ["a-b", "a"]),
        (["one.pt"], ["one"]),
        (["a.pt", "a.pth"], ["a.pt", "a.pth"]),
        (["net.pt", "net.pt"], ["net", "net"]),
    ],
)
def test_short_names_keep_what_differs(names, expected):
    assert short(names) == expected


def test_long_names_are_cut_in_the_middle_unless_that_makes_two_the_same():
    first, second = short(["a" * 50 + "-x", "b" * 50 + "-x"])
    assert len(first) <= LONGEST and first.startswith("aaa") and "…" in first and second.startswith("bbb")
    long = ["a" * 30 + middle + "b" * 30 for middle in "xy"]
    assert short(long) == long


@pytest.mark.parametrize(("apart", "one"), [(0.0, True), (0.15, True), (0.5, False)])
def test_sets_share_the_scale_of_the_target_unless_they_lie_apart(apart, one):
    def row(name, i, goal):
        given = {"measure": "m", "symbol": "", "target": "acc", "colour": None, "level": None, "direction": 1}
        return {"set": name, "checkpoint": str(i), "value": float(i), "goal": goal, "Psi": None, "tau": 0.1, **given}

    rows = [row("a", i, 0.2 + 0.02 * i) for i in range(10)] + [row("b", i, 0.2 + apart + 0.01 * i) for i in range(10)]
    figure = scatter.draw(rows).figure
    first, second = figure.axes
    assert (first.get_ylim() == second.get_ylim()) == one
    assert (figure.get_suptitle() == "") == one, "what is not shared is said"
    for panel, name in ((first, "a"), (second, "b")):
        low, high = panel.get_ylim()
        assert all(low < row["goal"] < high for row in rows if row["set"] == name)


def test_every_figure_of_records_is_a_command_of_its_name():
    names = [info.callback.__name__ for info in commands.app.registered_commands if info.callback]
    assert [*FIGURES, "neurons"] == names == [*(figure(name).name for name in FIGURES), "neurons"]
