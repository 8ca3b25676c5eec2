"""The paper's figures: for each, its numbers as rows of plain data, and a matplotlib figure drawn from the rows.

Imported by `icc plot` and `icc report` alone; matplotlib is in the extra `plot`. Imports no torch, typer or rich.
"""
