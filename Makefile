# sandkit: one spec drives the server, the SDK and the conformance suite. `make help` lists the targets.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

# The interpreter that makes the environments; any Python from 3.11 on will do.
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
GEN := .venv-gen
PACKAGES := codegen sdks/python sdks/conformance server_stub

# uv takes its certificates from the system, as pip and the user's browser do, and never fetches an interpreter.
export UV_SYSTEM_CERTS ?= 1
export UV_PYTHON_DOWNLOADS := never
UV := $(BIN)/uv

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments -----------------------------------------------------------------------------------------------------------

SETUP := $(VENV)/.setup-done

.PHONY: setup
setup: $(SETUP) ## make .venv: pinned, hashed dependencies and the four packages, editable

$(VENV)/.uv-done: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sandkit needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Say which one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

# uv reads no pip configuration. Where only pip is configured for the local package index, pip does the same, slower.
$(SETUP): $(VENV)/.uv-done requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@$(UV) pip install --quiet --exact --python $(BIN)/python --require-hashes --requirement requirements/dev.txt || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(UV) pip install --quiet --offline --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=--editable %)
	@touch $@

# Each generator has an environment of its own: their dependencies contradict each other's now and then, and nobody else needs them.
.PHONY: setup-codegen
setup-codegen: $(GEN)/client/.setup-done $(GEN)/models/.setup-done ## make the generators' own environments (.venv-gen)

$(GEN)/%/.setup-done: requirements/codegen-%.txt $(SETUP)
	@$(PYTHON) -m venv --without-pip $(@D)
	@$(UV) pip install --quiet --exact --python $(@D)/bin/python --require-hashes --requirement $< || \
	  $(BIN)/python -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# --- checks -----------------------------------------------------------------------------------------------------------------

# Processes pytest may use; PYTEST_ARGS passes anything else on (make test PYTEST_ARGS='-k pause').
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=

.PHONY: test
test: setup setup-codegen ## every test of the four packages, and the snippets of the documentation
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: format
format: setup ## let ruff format the code and mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
