"""Tables as spreadsheets, pandas and pipes write them: all give the ranking of the same plain CSV."""

import csv
import gzip
import io
import json

import pytest

from icc_cli.errors import FormatError
from icc_cli.ranking.values import number
from tests.ranking.test_cases import BASE, CASES, assert_row, one, refused, table

ROWS = list(csv.DictReader((CASES / "base.csv").open(newline="")))
NAMES = list(ROWS[0])
COLUMNS = {name: [row[name] for row in ROWS] for name in NAMES}
LABELLED = {name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in NAMES}


def text(delimiter=",", names=NAMES, cell=str, end="\n"):
    out = io.StringIO()
    rows = csv.writer(out, delimiter=delimiter, lineterminator=end)
    rows.writerow(names)
    rows.writerows([[cell(value) for value in row.values()] for row in ROWS])
    return out.getvalue()


def comma(value):
    return value.replace(".", ",")


FORMS = {
    "semicolons.csv": text(";", cell=comma).encode(),
    "separator_line.csv": ("sep=;\n" + text(";", cell=comma)).encode(),
    "tabs.TSV": text("\t", cell=comma).encode("utf-16"),
    "wide.csv.gz": gzip.compress(text().encode("utf-16-le").join([b"\xff\xfe", b""])),
    "empty_columns.csv": text().replace("\n", ",,\n").encode(),
    "empty_rows.csv": (text() + ",,,,\n , ,,,\n").encode(),
    "index.csv": ("," + text().rstrip().replace("\n", "\n7,")).encode(),
    "without_suffix": text().encode(),
    "columns.json": json.dumps(LABELLED).encode(),
    "lists.json": json.dumps(COLUMNS).encode(),
    "index.json": json.dumps({f"run_{i}.pt": row for i, row in enumerate(ROWS)}).encode(),
    "split.json": json.dumps(
        {"columns": NAMES, "index": [*range(8)], "data": [[*row.values()] for row in ROWS]}
    ).encode(),
    "table.json": json.dumps({"schema": {}, "data": ROWS}, indent=1).encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_other_ways_to_write_a_table(name, tmp_path):
    hparams, (measure, goal) = table("base.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    (tmp_path / name).write_bytes(FORMS[name])
    row, said = one(tmp_path / name, *BASE)
    if b";" in FORMS[name] or name == "tabs.TSV":
        assert "decimal commas, such as 0,2380" in said
        hparams["lr"] = tuple(map(comma, hparams["lr"]))
    assert_row(row, hparams, measure, goal)
    assert "no gen_gap" not in said


@pytest.mark.parametrize("before", ["", "\ufeff"])
def test_long_headers_and_marks_on_standard_input(before):
    """A header of more than 255 characters is no path, and a byte-order mark is no part of it."""
    hparams, (measure, goal) = table("base.csv", ("lr", "bs", "opt"), "m", "gen_gap")
    lines = text().splitlines()
    extra = ",".join(f"a_rather_long_name_{i}" for i in range(20))
    wide = "\n".join([f"{lines[0]},{extra}", *(line + "," * 20 for line in lines[1:])])
    for stdin in (wide, json.dumps(ROWS)):
        assert_row(one("-", *BASE, stdin=before + stdin)[0], hparams, measure, goal)


def test_what_is_no_table(tmp_path):
    def said(name, content):
        (tmp_path / name).write_bytes(content)
        return refused(tmp_path / name, *BASE, code=4)

    assert "neither records nor a table" in said("t.xlsx", b"PK\x03\x04\xff")
    assert "has one column" in said("t.txt", text(" ").encode())
    assert "Save it as text in UTF-8" in said("t.csv", text().encode() + b"\xb5,1,2,3,4\n")
    assert "two columns named 'm'" in said("u.csv", text().replace("gen_gap", "m").encode())
    assert "decimal commas and points: 0,2380 and 0.05442" in said(
        "v.csv", text(";").replace("0.2380", "0,2380").encode()
    )
    assert "holds no row" in said("t.json", b"[]")
    packed = bytearray(gzip.compress(text().encode()))
    packed[15:25] = b"\xff" * 10
    assert "cannot read" in said("t.csv.gz", bytes(packed))


@pytest.mark.parametrize(
    ("cell", "value"),
    [("85.2%", 0.852), (" 50 % ", 0.5), ("1,014.45", 1014.45), ("-1,234,567", -1234567.0), ("+.5e1", 5.0), (True, 1.0)],
)
def test_cells_that_are_numbers(cell, value):
    assert number(cell, "it") == pytest.approx(value)


@pytest.mark.parametrize("cell", ["1,014", "1_000", "12,34.5", "%", "0x10", "yes", [1]])
def test_cells_that_are_none(cell):
    with pytest.raises(FormatError, match=r"it is .*, expected a number"):
        number(cell, "it")


@pytest.mark.parametrize("cell", ["#N/A", "<NA>", "n.a.", "-nan", "None", "", "-"])
def test_cells_without_a_value(cell):
    assert number(cell, "it") != number(cell, "it")
