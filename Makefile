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
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  %-25s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	  { echo "uv could not install; trying pip, which takes longer" >&2; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt; }
	@$(UV) pip install --quiet --offline --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=--editable %)
	@touch $@

# Each generator has an environment of its own: their dependencies contradict each other's now and then, and nobody else needs them.
.PHONY: setup-codegen
setup-codegen: $(GEN)/client/.setup-done $(GEN)/models/.setup-done ## make the generators' own environments (.venv-gen)

$(GEN)/%/.setup-done: requirements/codegen-%.txt $(SETUP)
	@$(PYTHON) -m venv --without-pip $(@D)
	@$(UV) pip install --quiet --exact --python $(@D)/bin/python --require-hashes --requirement $< || \
	  { echo "uv could not install; trying pip, which takes longer" >&2; \
	    $(BIN)/python -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check --require-hashes --requirement $<; }
	@touch $@

NODE := codegen/node
REDOCLY := $(NODE)/node_modules/.bin/redocly

$(NODE)/node_modules/.setup-done: $(NODE)/package.json $(NODE)/package-lock.json
	@command -v npm >/dev/null || \
	  { echo "Linting the specs needs Node 20.19 or newer with npm (https://nodejs.org); no other target on the way of a test does." >&2; exit 1; }
	@cd $(NODE) && npm ci --silent --ignore-scripts
	@touch $@

.PHONY: lock
lock: setup ## resolve requirements/*.in again and write the hashed locks
	@$(BIN)/python scripts/lock.py write

.PHONY: verify-lock
verify-lock: setup ## exit 1 when a lock is out of step with its .in file
	@$(BIN)/python scripts/lock.py check

# --- generated code ---------------------------------------------------------------------------------------------------------

.PHONY: generate
generate: setup setup-codegen ## write everything that is generated from specs/
	@$(BIN)/python -m sandkit_codegen generate

.PHONY: verify-generated
verify-generated: setup setup-codegen ## exit 1 when a generated file differs, is missing or does not belong
	@$(BIN)/python -m sandkit_codegen verify

.PHONY: lint-specs
lint-specs: setup $(NODE)/node_modules/.setup-done ## check specs/: Redocly, then our own rules
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(REDOCLY) lint --config specs/redocly.yaml specs/lifecycle.yaml
	@$(BIN)/python -m sandkit_codegen lint

.PHONY: review
review: setup ## accept the checks of a changed promise after looking at them: make review ID=PAU-01
	@$(BIN)/python scripts/review.py accept $(ID)

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
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: setup ## let ruff format the code and mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: conformance
conformance: setup ## start the embedded server, replay every scenario, write build/conformance/report.{html,json,xml}
	@$(BIN)/python scripts/conformance.py --report-dir build/conformance -- $(CONFORMANCE_ARGS)

.PHONY: conformance-docker
conformance-docker: setup ## the suite against the public opensandbox-server over a Docker engine of its own; needs root and Debian
	@$(BIN)/python -m scripts.conformance_docker --report-dir build/conformance-docker -- $(CONFORMANCE_ARGS)

.PHONY: conformance-container
conformance-container: setup ## build the suite's container recipe and certify a server from inside of it; needs root and Debian
	@$(BIN)/python -m scripts.conformance_container

.PHONY: mutants
mutants: setup ## run the suite against deliberately broken servers: each must turn exactly its requirement red
	@$(BIN)/python -m sandkit_conformance mutants --server '$(BIN)/python -m sandkit_server.testing.mutants' $(MUTANTS_ARGS)

.PHONY: control-plane
control-plane: setup ## tests on a real Kubernetes control plane on loopback; needs Go, the first build takes minutes
	@$(BIN)/python scripts/control_plane.py $(PYTEST_ARGS)

.PHONY: control-plane-kills
control-plane-kills: setup ## long: server and controller killed at every write there, watches cut, the API server restarted
	@$(BIN)/python scripts/control_plane.py server_stub/control_plane/tests/product $(PYTEST_ARGS)

# How often in a row the suite is played there.
RUNS ?= 1

.PHONY: conformance-control-plane
conformance-control-plane: setup ## the suite on server and controller over a real control plane, for both workload providers; RUNS (1)
	@$(BIN)/python scripts/conformance_control_plane.py --runs $(RUNS) -- $(CONFORMANCE_ARGS)

.PHONY: explore
explore: setup ## every interleaving of server, controller and cluster to a bounded depth, then every seeded bug
	@$(BIN)/python scripts/explore.py $(EXPLORE_ARGS)
	@$(BIN)/python scripts/explore.py defects

# How many random lives, and the seed that chooses them.
STATEFUL_EXAMPLES ?= 1000
STATEFUL_SEED ?= 0

.PHONY: stateful
stateful: setup ## random lives over server and controller on the abstract cluster, with faults; STATEFUL_EXAMPLES (1000)
	@SANDKIT_STATEFUL_EXAMPLES=$(STATEFUL_EXAMPLES) SANDKIT_STATEFUL_SEED=$(STATEFUL_SEED) \
	  $(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) server_stub/tests/kubernetes_stateful

# How many seeds, runs and kill points the long campaigns have.
CAMPAIGN_SEEDS ?= 50
CAMPAIGN_RUNS ?= 100
CAMPAIGN_KILLS ?= 20
MUTANTS := $(BIN)/python -m sandkit_conformance mutants --server '$(BIN)/python -m sandkit_server.testing.mutants'

.PHONY: campaign
campaign: setup ## long: sound servers with 50 seeds, 100 runs one after the other, 20 killed runs swept up
	@$(MUTANTS) --only 'benign-*' --seeds $(CAMPAIGN_SEEDS) --jobs $$((2 * $$(getconf _NPROCESSORS_ONLN))) --json build/campaign/seeds.json
	@$(MUTANTS) --only control --seeds $(CAMPAIGN_RUNS) --jobs 1 --json build/campaign/runs.json
	@$(BIN)/python scripts/killed_runs.py --points $(CAMPAIGN_KILLS)

# How long the fuzzer runs, and the seed that makes a run repeatable.
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 1

.PHONY: fuzz
fuzz: setup ## schemathesis against a running server, seeded, FUZZ_SECONDS long (60)
	@$(BIN)/python server_stub/tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

.PHONY: bench
bench: setup ## start-up time and requests per second of the server, beside a bare Starlette route
	@$(BIN)/python server_stub/benchmarks/run.py

.PHONY: bench-cluster
bench-cluster: setup ## 2,000 sandboxes on a real control plane beside bare pods: times, API calls, memory; needs Go
	@$(BIN)/python -m server_stub.benchmarks.cluster $(BENCH_ARGS)

.PHONY: bench-peer
bench-peer: setup ## creates side by side with the public opensandbox-server on one control plane; needs Go
	@$(BIN)/python -m server_stub.benchmarks.peer $(BENCH_ARGS)

.PHONY: ci
ci: ## everything the integration run checks, stage by stage (.ci/run)
	@.ci/run

# --- documentation ----------------------------------------------------------------------------------------------------------

.PHONY: docs
docs: setup ## build the documentation into build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --site-dir build/docs

.PHONY: docs-serve
docs-serve: setup ## serve the documentation on http://127.0.0.1:8000 and rebuild on change
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs serve

.PHONY: clean
clean: ## remove what was built and cached; the environments stay (rm -rf .venv .venv-gen removes them)
	@rm -rf build dist site .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -not -path './.venv*' -not -path './.git/*' -prune -exec rm -rf {} +
