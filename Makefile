# `make run` starts Tiebreak, `make test` runs all checks. Both install what they need first.

.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt
# Most modules are never imported: Python compiles those that are, when they first are. Halves the time of an install.
INSTALL := $(BIN)/python config/install.py --disable-pip-version-check --no-compile -c constraints.txt

export PIP_NO_INPUT := 1

.PHONY: help
help:
	@echo "make run               start Tiebreak on http://127.0.0.1:8000 (PORT=8001 make run for another port)"
	@echo "make test              run all checks (make test ARGS='-k label' for some of the tests)"
	@echo "make constraints       choose the versions of all packages anew"
	@echo "Settings are described in docs/operations.md."

.PHONY: run
run: $(VENV)/installed-worker
	@exec $(BIN)/python -m config.supervisor

.PHONY: test
test: $(VENV)/installed-dev chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null \
		|| { echo "There is no $(PYTHON). Tiebreak needs Python 3.11 or newer: make run PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Tiebreak needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Install one, or name it: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Creating a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# A stamp is written last, so that an install that was cut short is done again.
$(VENV)/installed-worker: $(INPUTS) | $(BIN)/python
	@echo "Installing Tiebreak and its worker (a few minutes the first time) ..."
	@$(INSTALL) -e '.[worker]'
	@touch $@

$(VENV)/installed-dev: $(INPUTS) | $(BIN)/python
	@echo "Installing Tiebreak and what its tests need (a few minutes the first time) ..."
	@$(INSTALL) -e '.[worker,dev]'
	@touch $@ $(VENV)/installed-worker

# The browser tests drive Debian's Chromium. Without it they are skipped, and say so.
.PHONY: chromium
chromium:
	@command -v chromium-headless-shell >/dev/null || sh tests/browser/install-chromium.sh

.PHONY: constraints
constraints: | $(BIN)/python
	@$(INSTALL) uv
	@{ echo "# Made by: make constraints" && $(BIN)/uv pip compile pyproject.toml --all-extras --universal \
		--python-version 3.11 --no-annotate --no-header --quiet; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt
