# `make demo` and `make test` set up all that they need in .venv and .venv-wheel: Python 3.11 or later is enough.
PYTHON ?= python3
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
WHEEL_VENV := .venv-wheel
PIP_INSTALL := -m pip --quiet --disable-pip-version-check --no-input install
# Every hash is checked, nothing is resolved, no build fetches tools: what is installed is what the lock files list.
LOCKED := $(PIP_INSTALL) --require-hashes --no-deps --use-pep517 --no-build-isolation
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-annotate

# A path from outside could hide that a package is missing from the installation.
unexport PYTHONPATH PYTHONHOME

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install demo test test-sources test-wheel bench app lint docs lock clean

help:
	@echo "make install   the command evidence, in $(BIN)"
	@echo "make demo      the sample data, ingested, replayed, proved, exported, verified"
	@echo "make test      linters, all tests on the sources, then on the built wheel"
	@echo "make bench     the benchmark table: half an hour; BENCH_FLAGS=--quick for a minute"
	@echo "make app       the Streamlit app"
	@echo "make lint      ruff, mypy, import contracts"
	@echo "make docs      writes the generated documents anew"
	@echo "make lock      resolves the dependencies anew: LOCK_FLAGS=--upgrade for the newest"
	@echo "make clean     removes environments, builds and caches"

install: $(VENV)/.project
	@echo "Installed: $(BIN)/evidence"

demo: $(VENV)/.project
	@$(BIN)/python sample_data/demo.py

test: lint test-sources test-wheel

test-sources: $(VENV)/.dev
	@echo "== tests on the sources"
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile --timeout 600

# A package or a file that the wheel lacks is found only where the sources are out of reach.
test-wheel: $(VENV)/.dev $(WHEEL_VENV)/.dev
	@echo "== tests on the built wheel, without the sources"
	@rm -rf build/wheel
	@$(BIN)/python -m pip --quiet --disable-pip-version-check wheel --no-deps --no-build-isolation -w build/wheel .
	@$(WHEEL_VENV)/bin/python $(PIP_INSTALL) --no-index --no-deps --force-reinstall build/wheel/*.whl
	@away=$$(mktemp -d) && trap 'rm -rf "$$away"' EXIT && cp -R tests sample_data docs README.md pyproject.toml "$$away" \
		&& cd "$$away" && PATH="$(CURDIR)/$(WHEEL_VENV)/bin:$$PATH" pytest -q -m wheel --timeout 600 -p no:cacheprovider

bench: $(VENV)/.dev
	@$(BIN)/python tests/bench/bench.py $(BENCH_FLAGS)

app: $(VENV)/.project
	@$(BIN)/streamlit run app/main.py --browser.gatherUsageStats false

lint: $(VENV)/.dev
	@echo "== lint"
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: $(VENV)/.dev
	@EVIDENCE_UPDATE_DOCS=1 $(BIN)/pytest -q tests/architecture/test_errors.py tests/docs/test_cli_reference.py tests/docs/test_settings.py tests/docs/test_verifiers.py

# The development lock is resolved first; the other two are parts of it, so that one environment can hold all three.
lock: $(VENV)/.dev
	@$(COMPILE) $(LOCK_FLAGS) --group dev pyproject.toml -o requirements-dev.lock
	@$(COMPILE) --constraint requirements-dev.lock pyproject.toml -o requirements.lock
	@$(COMPILE) --constraint requirements-dev.lock --group build -o requirements-build.lock

clean:
	rm -rf $(VENV) $(WHEEL_VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "evidence needs Python 3.11 or later, and '$(PYTHON)' is not; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks the venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }

# Made from nothing whenever its lock changes, so that no package of an older lock lingers.
$(VENV)/.runtime: requirements.lock requirements-build.lock | python
	@echo "== setting up $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python $(LOCKED) -r requirements.lock -r requirements-build.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.project
	@echo "== adding the development tools to $(VENV)"
	@$(BIN)/python $(LOCKED) -r requirements-dev.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	@$(BIN)/python $(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(WHEEL_VENV)/.dev: requirements-build.lock requirements-dev.lock | python
	@echo "== setting up $(WHEEL_VENV)"
	@$(PYTHON) -m venv --clear $(WHEEL_VENV)
	@$(WHEEL_VENV)/bin/python $(LOCKED) -r requirements-build.lock
	@$(WHEEL_VENV)/bin/python $(LOCKED) -r requirements-dev.lock
	@touch $@
