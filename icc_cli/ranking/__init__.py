"""Ranking: how well each measure orders models by generalization. Imports no torch, typer or rich."""
