# The project's own door. Every target installs what it needs, through the machine's own package configuration.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
LOCKS := appliance.lock receiver.lock image.lock dev.lock
READY := $(VENV)/.ready
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
TEST_WORKERS ?= 2
PURE := appliance/wire/*,appliance/cdr/*,appliance/numbering/*,appliance/pseudonymization/*,appliance/policy/*,receiver/domain/*

export PYTHONDONTWRITEBYTECODE ?= 1

$(READY): dev.lock pyproject.toml receiver/pyproject.toml image/pyproject.toml
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "==> installing python3-venv"; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv; }
	@command -v openssl >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq openssl; }
	@{ command -v cc && command -v swtpm && pkg-config --exists tss2-esys tss2-tcti-swtpm && \
	  ls "$$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"; } >/dev/null 2>&1 || { \
	  echo "==> installing the TPM libraries and the software TPM"; $(SUDO) apt-get update -qq && $(SUDO) apt-get install \
	  -y -qq gcc pkg-config python3-dev libtss2-dev swtpm swtpm-tools; }
	@echo "==> preparing $(VENV) from dev.lock (hashes checked)"
	@python3 -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e receiver -e image
	@touch $@

.PHONY: install
install: $(READY) ## Prepare the development environment in .venv

.PHONY: demo
demo: $(READY) ## Show the product at work, end to end. FEED=path DIALECT=name SITE=site.toml PBX=asterisk KEEP=1
	@$(BIN)/python -m tests.e2e.demo $(if $(FEED),--feed "$(FEED)") $(if $(DIALECT),--dialect "$(DIALECT)") \
	  $(if $(SITE),--site "$(SITE)") $(if $(PBX),--pbx "$(PBX)") $(if $(filter 1,$(KEEP)),--keep)

.PHONY: test
test: $(READY) ## Run the whole test suite (what is marked slow has its own target)
	@$(BIN)/python -m pytest -q -n $(TEST_WORKERS) -m "not slow"

.PHONY: test-slow
test-slow: $(READY) ## Run the long forms: the real Asterisk tree and what else takes minutes
	@$(BIN)/python -m pytest -q -n 0 -m slow --timeout 3600

.PHONY: lint
lint: $(READY) ## Format, lint, types, import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >build-lint.log 2>&1 || { cat build-lint.log; rm -f build-lint.log; exit 1; }; rm -f build-lint.log

.PHONY: check
check: lint ## Everything that must hold before a change lands: lint, budgets, documents, tests with coverage
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m pytest -q -n $(TEST_WORKERS) -m "not slow" --cov --cov-report=
	@$(BIN)/coverage report --skip-covered | tail -n 25
	@$(BIN)/coverage report --fail-under=100 --include="$(PURE)" >/dev/null || \
	  { $(BIN)/coverage report --include="$(PURE)"; echo "the pure rooms and wire need 100 % branch coverage"; exit 1; }

.PHONY: bench
bench: $(READY) ## Measure, each figure as a ratio to its limit in the same run. BENCH=name runs one
	@mkdir -p build/bench
	@$(BIN)/python -m tests.bench $(if $(BENCH),--only "$(BENCH)")

.PHONY: fuzz
fuzz: $(READY) ## Fuzz every dialect and codec, coverage-guided. SECONDS=30 for each; WRITE=1 writes docs/reference/fuzzing.md
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),30) $(if $(filter 1,$(WRITE)),--write)

.PHONY: docs
docs: $(READY) ## Regenerate the generated documents
	@$(BIN)/python -m tests.support.docs_reference

.PHONY: lock
lock: $(READY) ## Compile the lock files anew from the two pyproject.toml
	@UV="$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-header" && \
	  $$UV pyproject.toml -o appliance.lock && \
	  $$UV receiver/pyproject.toml -o receiver.lock && \
	  $$UV --group image -o image.lock && \
	  $$UV pyproject.toml receiver/pyproject.toml --group dev --group image -o dev.lock && \
	  $$UV tests/support/sslyze.in -o sslyze.lock

.PHONY: image
image: $(READY) ## Build the appliance's disk and export it in every format (root; not finished: see README)
	@$(BIN)/natalia-image build
	@$(BIN)/natalia-image export

.PHONY: wheel
wheel: $(READY) ## Build the wheel that goes into the image
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel . >/dev/null && ls build/wheel/*.whl

.PHONY: clean
clean: ## Remove what was built (not the environment)
	@rm -rf build .coverage .coverage.*

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20
