"""LaTeX tables: the paper's numbers, symbols and heads, and that they compile."""

import re
import shutil
import subprocess

import pytest

from icc_cli.cli._rank_latex import AXES, decimal, latex, symbol

needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs")


def kendall(measure, **axes):
    cells = {name: {"psi": psi, "groups": 48, "pairs": 48, "ties": 0} for name, psi in axes.items()}
    return {"measure": measure, "direction": 1, "models": 192, "axes": cells, "Psi": 0.73, "tau": 0.5}


def test_numbers_as_the_paper_prints_them():
    shown = {0.734: ".73", 1.0: "1.0", -0.58: "$-$.58", 0.0: ".00", -0.001: ".00", -1.0: "$-$1.0", 12.5: "12.50"}
    assert {value: decimal(value) for value in shown} == shown


def test_symbols():
    assert [symbol(name) for name in ("c3", "inv_sigma_kernels", "c3@k=1", "my_own")] == [
        "$c_3$",
        r"$1/\sigma''$",
        "$c_3$ (k=1)",
        r"my\_own",
    ]


def test_heads_in_the_papers_order():
    rows = [kendall("c3", depth=0.66, my_axis=None, batch_size=0.6, lr=0.88), kendall("inv_alpha", lr=-0.03)]
    lines = latex(rows, "Granulated Kendall").splitlines()
    assert lines[1] == "% Values are multiplied by the measure's direction: c3 +1, inv_alpha +1."
    assert lines[6] == r" & lr & batch & depth & my\_axis & total \\"
    assert lines[8:10] == [r"$c_3$ & .88 & .60 & .66 & -- & .73 \\", r"$1/\alpha'$ & $-$.03 & -- & -- & -- & .73 \\"]


@needs_latex
def test_tables_compile(tmp_path):
    interval = {"difference": 0.26, "interval": [0.15, 0.37]}
    tables = [
        [
            kendall(name, lr=0.88, batch_size=-0.6)
            for name in ("c1", "inv_sigma", "inv_alpha_kernels", "c3@k=1", "a_b^~%")
        ],
        [{"measure": "c3", "versus": "c1", "axes": {"lr": interval}, "Psi": 0.26, "Psi_interval": [0.15, 0.37]}],
        [{"measure": "c3", "direction": 1, "models": 9, "score": "cmi", "value": 0.2, "given": ["weight_decay"]}],
        [{"weight_decay": 4e-5, "optimizer": "sgd", "lr": "0.1 0.2", "models": 2, "pairs": 1, "ties": 0, "tau": None}],
    ]
    body = "\n\n".join(latex(rows, "A title") for rows in tables)
    typeset(body, tmp_path)


@needs_latex
@pytest.mark.parametrize("sure", [False, True], ids=["plain", "with intervals"])
def test_the_papers_eight_axes_fit_the_text_of_a_page(sure, tmp_path):
    bounds = {"interval": [-0.58, -0.25]} if sure else {}
    axes = {name: {"psi": -0.42, "groups": 48, "pairs": 48, "ties": 0, **bounds} for name in AXES}
    total = {"Psi": -0.73, **({"Psi_interval": [-0.95, -0.51], "p": 0.01, "p_holm": 0.04} if sure else {})}
    names = ("c1", "c2", "c3", "c4", "inv_sigma", "inv_sigma_kernels", "inv_alpha", "inv_alpha_kernels", "bimodality")
    rows = [{"measure": name, "direction": 1, "models": 192, "axes": axes, **total} for name in names]
    log, pages = typeset(latex(rows, "Granulated Kendall"), tmp_path)
    assert "Overfull" not in log
    assert pages == 1


def typeset(body, folder):
    """The log and the number of pages of an article with this text."""
    (folder / "t.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout, int(re.search(r"t\.pdf \((\d+) page", done.stdout)[1])
