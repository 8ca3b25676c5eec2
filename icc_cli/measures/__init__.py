"""The measures: one a file, each a formula and a declaration; `catalog.py` lists them. numpy alone; no torch, no files."""
