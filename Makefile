# Everything runs from .venv, made by `make install`. Needs python3 >= 3.11 and make.

PYTHON ?= python3
PHOTOS ?=
DATA ?= .sightline
PORT ?= 8000
BENCH ?=
# torch's CPU builds: without this index, Linux gets CUDA builds of several gigabytes.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
MEMBERS := services/engine services/api services/embedder services/local

.PHONY: install demo run test test-all test-compose check format bench clean
.DEFAULT_GOAL := demo

install: $(VENV)/installed

$(VENV)/installed: constraints.txt $(MEMBERS:%=%/pyproject.toml)
	@echo "installing into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sightline needs Python 3.11 or newer; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sh scripts/install-torch $(BIN)/python "$(TORCH_INDEX)"
	@$(PIP) install --constraint constraints.txt $(MEMBERS:%=--editable %) --editable 'services/embedder[int8]' \
	  --editable 'services/local[plots,samples]' --editable 'services/engine[tracing]' \
	  ruff mypy pytest pytest-xdist hypothesis schemathesis types-psutil simpy kubernetes-validate 'moto[s3]' flask flask-cors \
	  playwright axe-playwright-python 'atheris; sys_platform == "linux"'
	@touch $@

demo: install
	@$(BIN)/sightline demo --data $(DATA)

run: install
	@test -n "$(PHOTOS)" || $(BIN)/python -m sightline_local.samples $(DATA)/samples
	@$(BIN)/sightline up --data $(DATA) --port $(PORT) --photos "$(or $(PHOTOS),$(DATA)/samples)"

test: install
	@$(BIN)/python -m pytest -n 2 --dist loadfile
	@! docker version >/dev/null 2>&1 || $(MAKE) --no-print-directory test-compose

test-all: install
	@SIGHTLINE_TEST_LONG=1 $(BIN)/python -m pytest

# Needs a Docker Engine with Compose; builds every image and starts, kills and scales them.
test-compose: install
	@SIGHTLINE_TEST_COMPOSE=1 $(BIN)/python -m pytest -s tests/compose/test_compose_lab.py

check: install
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy

format: install
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --fix --quiet

# BENCH=--quick only shows that all of it works, in some four minutes; BENCH=--help tells what else there is.
bench: $(VENV)/installed-bench
	@$(BIN)/python -m bench $(BENCH)

$(VENV)/installed-bench: $(VENV)/installed
	@$(PIP) install --constraint constraints.txt onnx onnxruntime
	@touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
