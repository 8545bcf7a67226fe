# make demo   sets everything up and runs the main job on the built-in corpus
# make test   sets everything up and passes the tests, among them a few trials of every fault (tests/faults)
# make test-faults   all trials of every fault, a core for each kind of them (some ten minutes); prints their figures
# make test-app      all screens at all sizes, themes and keys (some ten minutes)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: setup demo test test-faults test-app lint format bench soak bench-verdict gpu picture wheel clean

demo: $(READY)
	$(BIN)/lth demo

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lth-tui needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST)

test-faults: $(READY)
	LTH_FAULTS=full $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/faults $(PYTEST)

test-app: $(READY)
	LTH_SCREENS=full $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/app $(PYTEST)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy engine

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m tests.bench

soak: $(READY)
	$(BIN)/python -m tests.bench soak

bench-verdict: $(READY)
	$(BIN)/python -m tests.bench verdict

gpu: $(READY)
	$(BIN)/python -m tests.bench.gpu

picture: $(READY)
	$(BIN)/python -m tests.picture

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
