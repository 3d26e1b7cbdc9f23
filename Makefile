# Two commands do everything on a machine with Python 3.11 or newer, git and make:
#   make grow    install into .venv, grow a network on real data, show how
#   make test    install into .venv, run the whole test suite

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.installed-docs

.PHONY: grow test test-long lint format bench soundness ablation docs clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

grow: $(INSTALLED)
	$(BIN)/netgraph grow digits --out runs/digits --overwrite

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2

test-long: $(INSTALLED)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest tests/properties

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.step_time
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.optimizers
	$(BIN)/python -m benchmarks.proofs
	$(BIN)/python -m benchmarks.grown digits --seeds 10 --quiet

# Certificates against measurements, over many random graphs and rewrites; and exact rules to the last bit.
soundness: $(INSTALLED)
	$(BIN)/python -m benchmarks.soundness --pairs 10000 --seed 0
	$(BIN)/python -m benchmarks.dyadic --graphs 1000 --seed 0

ablation: $(INSTALLED)
	@test -n "$(DATA)" || { echo "say which data: make ablation DATA=mnist.npz"; exit 2; }
	$(BIN)/python -m benchmarks.ssonn_ablation $(DATA)

docs: $(DOCS_INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site

clean:
	rm -rf $(VENV) site build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
