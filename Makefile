# `make small` and `make test` need Python 3.10 to 3.14 with pip and venv, and nothing else.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=
SELECTED :=
# Processes that run the tests; each computes with one thread.
WORKERS ?= 2

# Not absolute: the names of targets take no space, which a folder above may have.
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# Their many processes would compile this package again where none may write what it compiled.
PYTEST := tools/in_memory.sh env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 \
  python -m pytest -n $(WORKERS) --dist worksteal
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# macOS' make 3.81 looks for the program of a simple line on the PATH that make itself was started
# with; through a shell that is not its default one it takes the PATH below.
SHELL := /bin/bash
export PATH := $(if $(filter /%,$(VENV)),$(BIN),$(CURDIR)/$(BIN)):$(PATH)
export GIT_PYTHON_REFRESH ?= quiet
export MLFLOW_DISABLE_TELEMETRY ?= true
# `mlflow run` asks who runs it, and ends in a traceback where a container's user has no name.
export LOGNAME ?= $(firstword $(shell id -un 2>/dev/null || id -u))

.PHONY: help small medium full test quick lint types unit quick-unit env ui mlproject docs constraints clean

help:
	@echo "make small        environment, embedded model, small sweep, result table"
	@echo "make medium|full  the larger sweeps (ARGS='-P difficulty=easy' adds parameters)"
	@echo "make test         environment, ruff, import-linter, mypy, pytest: what CI runs"
	@echo "make quick        ruff, import-linter and the tests that are not slow; without mypy,"
	@echo "                  whose first run takes minutes (make types)"
	@echo "make ui           MLflow's user interface on the local store"

small medium full: $(RUNTIME)
	argo-ml fetch
	mlflow run . --env-manager local --experiment-name argo_ml -P mode=$@ $(ARGS)
	@echo "when retrieval pays for your questions, documents and model: $(VENV)/bin/argo-ml advise --help"

# mypy computes on one core: beside the tests it costs half of what it takes alone.
test: lint
	$(MAKE) --jobs=2 types unit

quick: lint quick-unit

lint: $(DEVELOPMENT)
	ruff check .
	ruff format --check .
	lint-imports

types: $(DEVELOPMENT)
	mypy

unit quick-unit: $(DEVELOPMENT)
	argo-ml fetch
	$(PYTEST) $(SELECTED) $(PYTEST_ARGS)

quick-unit: SELECTED := -m "not gpu and not slow"

env: $(RUNTIME)

ui: $(RUNTIME)
	mlflow ui

mlproject: $(RUNTIME)
	python -m argo_ml.cli.entry_points

docs: $(RUNTIME)
	python -m argo_ml.cli.parameter_tables

constraints: $(DEVELOPMENT)
	tools/write_constraints.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.14; use make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) has no venv; install it (Debian: apt install python3-venv)" >&2; exit 1; }

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(DEVELOPMENT): $(RUNTIME)
	$(INSTALL) -e '.[dev]'
	@touch $@
