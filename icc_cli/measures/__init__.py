"""The measures: one per file, each a formula and its declaration, listed in `catalog.py`. No torch, no files."""
