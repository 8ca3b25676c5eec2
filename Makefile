# `make demo` and `make test` set up their own environment; a second run finds it in place.
SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
LITE ?= .venv-lite
PACKAGE ?= .
READY := $(VENV)/.ready
OUT ?= demo
# As in the paper: networks that do not fit their training set are left out.
FITTED := --min-train-accuracy 0.99

.PHONY: demo test test-all faults lite check docs bench study clean

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or later; name one with PYTHON=..."; exit 1; }
	@echo "Making the environment in $(VENV) (about 5 GB, a few minutes the first time) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Train a family of small networks on real digits, then extract, measure, sharpness, rank and plot it. Resumes where it was stopped.
demo: $(READY)
	$(BIN)/icc train --preset smoke --data digits -o $(OUT)/ckpts > /dev/null
	$(BIN)/icc extract $(OUT)/ckpts -o $(OUT)/acts > /dev/null
	$(BIN)/icc measure --measures paper,cdnv,class_separation,bimodality,margin --k 30 --all-k --per-site $(OUT)/acts -o $(OUT)/results > /dev/null
	$(BIN)/icc sharpness --jobs 2 --tolerance 0.1 --ascent-steps 10 $(OUT)/ckpts -o $(OUT)/results > /dev/null
	$(BIN)/icc rank $(OUT)/results $(FITTED) --format table
	$(BIN)/icc plot psi $(OUT)/results $(FITTED) -o $(OUT)/psi.png --data $(OUT)/psi.csv
	$(BIN)/icc plot scatter $(OUT)/results $(FITTED) -o $(OUT)/scatter.png --data $(OUT)/scatter.csv
	$(BIN)/icc plot sites $(OUT)/results $(FITTED) -o $(OUT)/sites.png --data $(OUT)/sites.csv
	$(BIN)/icc report $(OUT)/results $(FITTED) -o $(OUT)/report.html

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -q -m "not long"

# The tests that take a minute or more each as well.
test-all: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -q

# What may happen to files, disks and processes, by the thousand (docs/reliability.md): an hour or more; TRIES=N of each kind.
faults: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults $(if $(TRIES),--tries $(TRIES))

# An environment of .4 GB without torch, for measure, rank, plot and report: activate it, or call $(LITE)/bin/icc.
lite:
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or later; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(LITE)
	$(LITE)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt numpy scipy h5py typer rich matplotlib
	$(LITE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall $(PACKAGE)

# Lint and types.
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages that are made from the code.
docs: $(READY)
	$(BIN)/python docs/make_cli.py

# Every step against its floor and its opponents: one table, half an hour or more.
bench: $(READY)
	$(BIN)/python benchmarks/every.py

# The tables and figures of the studies, from their committed records.
study: $(READY)
	$(BIN)/python studies/cifar100-superclasses/study.py

clean:
	rm -rf $(VENV) $(LITE) $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
