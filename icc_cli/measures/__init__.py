"""The measures: one a file, each a formula and its declaration, listed in `catalog.py`. No torch, no files."""
