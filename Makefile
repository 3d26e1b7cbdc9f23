# Two commands do everything on a machine with Python 3.11 or newer, git and make:
#   make grow    install into .venv, grow a network on real data, show how
#   make test    install into .venv, run the whole test suite

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
QUIET := --quiet --disable-pip-version-check
EXTRAS_INSTALLED := $(VENV)/.installed-extras
DOCS_INSTALLED := $(VENV)/.installed-docs
TORCH_SPARSE_INSTALLED := $(VENV)/.installed-torch-sparse
PEERS := .venv-peers
PEERS_INSTALLED := $(PEERS)/.installed

# Wheels of the extra torch-sparse, which fit one torch and one Python. Outside the clone, so that the next one does not
# build them again.
TORCH_TAG = $(shell $(BIN)/python -c 'import sys, sysconfig; from importlib.metadata import version; \
    print(version("torch"), sys.implementation.cache_tag, sysconfig.get_platform(), sep="-")')
WHEELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/netgraph/wheels/$(TORCH_TAG)

.PHONY: grow test test-machines test-long test-extras hostile lint rooms format torch-sparse bench bench-peers soundness ablation nagn sparse senn explorer docs clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install $(QUIET) -c constraints.txt -e ".[dev]"
	touch $@

$(EXTRAS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install $(QUIET) -c constraints.txt -e ".[extras]"
	touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install $(QUIET) -c constraints.txt -e ".[docs]"
	touch $@

# The two packages are built at once, and ninja, which they look for on the path, compiles two files of each at once:
# MAX_JOBS=1 where memory is short.
$(TORCH_SPARSE_INSTALLED): $(INSTALLED)
	@wheels="$(WHEELS)" && mkdir -p "$$wheels" && missing= && \
	for name in scatter sparse; do ls "$$wheels"/torch_$$name-*.whl >/dev/null 2>&1 || missing="$$missing $$name"; done && \
	if [ -n "$$missing" ]; then \
	    echo "building torch-scatter and torch-sparse into $$wheels, which takes some ten minutes" && \
	    $(BIN)/python -m pip install $(QUIET) -c constraints.txt "setuptools>=77" wheel ninja && \
	    for name in $$missing; do \
	        PATH="$(abspath $(BIN)):$$PATH" FORCE_ONLY_CPU=1 $(BIN)/python -m pip wheel $(QUIET) -c constraints.txt --no-build-isolation --no-deps \
	            --wheel-dir "$$wheels" torch-$$name & \
	    done; wait; \
	fi && \
	$(BIN)/python -m pip install $(QUIET) --no-deps --no-index --find-links "$$wheels" torch-scatter torch-sparse
	$(BIN)/python -W ignore -c "import torch_sparse"
	touch $@

$(PEERS_INSTALLED): pyproject.toml constraints.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install $(QUIET) -c constraints.txt -e ".[app]" gromo
	touch $@

grow: $(INSTALLED)
	$(BIN)/netgraph grow digits --out runs/digits --overwrite

# Two processes of one thread each: more threads than cores only wait for each other. Who is done takes over from the other.
# Compiled code is kept, so that the programs which tests start do not compile it again.
test: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# The suite as other machines run it: kernels of other processors, 1 and 4 threads, SIGINT ignored, random order; one run of
# the whole suite for each setting, then a table. `make test-machines WITH="zen nehalem tests/proof -x"` names settings, and
# the rest goes to pytest; `python -m benchmarks.machines --help` lists them.
test-machines: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m benchmarks.machines $(WITH)

test-long: $(INSTALLED)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest tests/properties
	HYPOTHESIS_PROFILE=long OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long tests/app tests/compilers/importing

# Graphs against models of other packages, with the same weights.
test-extras: $(EXTRAS_INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m extras

# 4,000 damaged deltas, checkpoints and JSON files of each sort against the readers of the product: none may end in a
# traceback. `make hostile WITH="--number 400 --only deltas"`.
hostile: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.hostile $(WITH)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Packages, which ones use which, and what runs the wrong way; `make rooms WITH="--root OTHER_CLONE --out FILE.svg"`.
rooms: $(INSTALLED)
	$(BIN)/python -m benchmarks.rooms $(or $(WITH),--out runs/rooms.svg)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What compiled graphs cost, against peers; records of the first nine go to runs/benchmarks.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.layers
	$(BIN)/python -m benchmarks.sparse
	$(BIN)/python -m benchmarks.conv
	$(BIN)/python -m benchmarks.transformers
	$(BIN)/python -m benchmarks.statistics
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.patterns
	$(BIN)/python -m benchmarks.explorer
	$(BIN)/python -m benchmarks.large
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.proofs
	$(BIN)/python -m benchmarks.importing
	$(BIN)/python -m benchmarks.grown digits --seeds 10 --quiet

# Another kernel for sparse blocks; not needed for anything else.
torch-sparse: $(TORCH_SPARSE_INSTALLED)

# Beside gromo, another package for growing networks, in an environment of its own.
bench-peers: $(PEERS_INSTALLED)
	$(PEERS)/bin/python -m benchmarks.peers

# Certificates against measurements, over many random graphs and rewrites; and exact rules to the last bit.
soundness: $(INSTALLED)
	$(BIN)/python -m benchmarks.soundness --pairs 10000 --seed 0
	$(BIN)/python -m benchmarks.soundness --pairs 10000 --seed 0 --kinds attention
	$(BIN)/python -m benchmarks.soundness --pairs 10000 --seed 0 --aligned
	$(BIN)/python -m benchmarks.dyadic --graphs 1000 --seed 0

ablation: $(INSTALLED)
	@test -n "$(DATA)" || { echo "say which data: make ablation DATA=mnist.npz"; exit 2; }
	$(BIN)/python -m benchmarks.ssonn_ablation $(DATA)

# Does NAGN find what is too narrow, and what is growing worth against the final network trained from scratch? An hour.
nagn: $(INSTALLED)
	@test -n "$(DATA)" || { echo "say which grey images: make nagn DATA=fashion_mnist.npz"; exit 2; }
	$(BIN)/python -m benchmarks.bottlenecks $(DATA)
	$(BIN)/python -m benchmarks.static $(DATA) --set delta_acc=0.02 --set delta_stop=0.002 --set until=0.6 --set max_edges=12000

# Sparse networks beside each other, grown, pruned, exchanged and fixed; and how often, and by how much, to grow. An hour.
sparse: $(INSTALLED)
	@test -n "$(DATA)" || { echo "say which data: make sparse DATA=mnist.npz MODEL=mlp"; exit 2; }
	$(BIN)/netgraph compare $(DATA) --model $(or $(MODEL),auto) --jobs 2 --seeds 3 --budget 8 --epochs-per-step 1 \
		--methods pwmpr,pwmp,random-growth,gradient-growth,pwmpr-prune,rigl,set,phew,imp-c --densities .02,.05,.1,.2,.4 \
		--set start_density=0.015
	$(BIN)/python -m benchmarks.growth_schedule $(DATA) --model $(or $(MODEL),auto) --set start_density=0.015

# SENN: where vertices and layers are added, how much the thresholds matter, and with DATA how wide a layer becomes with
# more of it. Four minutes; a quarter of an hour more with images.
senn: $(INSTALLED)
	$(BIN)/python -m benchmarks.senn_regression
	$(BIN)/python -m benchmarks.senn_moons
	$(BIN)/python -m benchmarks.senn_regression --sensitivity --seeds 2 --epochs 1000
	$(if $(DATA),$(BIN)/python -m benchmarks.senn_mnist $(DATA) --steps 3000 --seeds 3)

# The interactive page, bundled from web/explorer into netgraph/viz/explorer; needs npm.
explorer:
	cd web/explorer && npm ci && node build.mjs

# Not --quiet, under which no warning is one to --strict.
docs: $(DOCS_INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site

clean:
	rm -rf $(VENV) $(PEERS) site build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
