# fastvid: `make demo` shows it, `make test` checks it. Everything is installed into .venv.

PYTHON ?= python3
VENV ?= .venv
RANKS ?= 2
# Processes that run tests side by side; the tests of a file stay together.
WORKERS ?= 2
# More words for pip, such as the index that PyTorch's site names for its CPU builds.
PIP_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt $(PIP_ARGS)
DEMO := demo

.PHONY: help demo test test-cluster lint install clean

help:
	@echo "make demo    install into $(VENV), make a clip, repaint it on $(RANKS) ranks"
	@echo "make test    install what the tests need, run lint, type check and tests"
	@echo "make test-cluster   the tests of jobs/, of several hosts and of random kills"
	@echo "make clean   remove $(VENV) and $(DEMO)"

# A system MPI is used if it has both a library that mpi4py can load and mpirun; else the wheel.
define install_mpi
	@if ! { command -v mpirun >/dev/null && $(BIN)/python -c 'from mpi4py import MPI' 2>/dev/null; }; \
	then $(PIP) mpich; fi
endef

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fastvid needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg constraints.txt | $(BIN)/python
	$(PIP) -e .
	$(install_mpi)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e '.[test]'
	@touch $@

install: $(VENV)/.installed

demo: install
	@mkdir -p $(DEMO)
	$(BIN)/python -m fastvid clip $(DEMO)/clip.mp4
	PATH="$(abspath $(BIN)):$$PATH" mpirun -n $(RANKS) $(BIN)/python -m fastvid stylize \
		$(DEMO)/clip.mp4 -o $(DEMO)/painted.mp4 --style starry_night --overwrite
	@echo "Open $(DEMO)/painted.mp4 beside $(DEMO)/clip.mp4."

lint: $(VENV)/.installed-test
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check
	$(BIN)/python -m mypy

test: lint
	PATH="$(abspath $(BIN)):$$PATH" OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) \
		--dist loadfile --no-loadscope-reorder --durations 20 --durations-min 5

# A Slurm of its own and network namespaces as hosts (Debian: slurm-wlm munge iproute2, as root), and
# runs killed at random; tests whose tools are missing are skipped.
test-cluster: $(VENV)/.installed-test
	PATH="$(abspath $(BIN)):$$PATH:/usr/sbin:/sbin" $(BIN)/python -m pytest -m cluster

clean:
	rm -rf $(VENV) $(DEMO)
