# Everything sets itself up in .venv; python3.10 or newer and make are all it needs.

PYTHON ?= $(shell for version in 3.14 3.13 3.12 3.11 3.10 3; do \
	python$$version -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo python$$version && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXAMPLE := examples/port
MINUTES ?= 60

unexport PYTHONDONTWRITEBYTECODE # tests start Python a few hundred times, which should find byte code

.PHONY: help demo test fuzz check docs clean

help:
	@echo "make demo    lint a small port, then run the reproduction of what was found"
	@echo "make test    run the tests"
	@echo "make fuzz    look for input that breaks something, for MINUTES=60"
	@echo "make check   run what CI runs"
	@echo "make docs    build the site into site/"
	@echo "make clean   remove what the others made"

$(INSTALLED): pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "mlxlint needs Python 3.10 or newer with venv: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --quiet --upgrade pip
	$(BIN)/pip install --quiet --quiet --editable '.[verify,lsp,docs,dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/mlxlint check $(EXAMPLE) || test $$? -eq 1
	@if $(BIN)/python -c 'import mlx.core' 2>/dev/null; then \
		echo "The same hazard, run on the MLX installed:"; $(BIN)/mlxlint rule boolean-mask-read --repro --run; fi

test: $(INSTALLED)
	$(BIN)/pytest

fuzz: $(INSTALLED)
	@end=$$(($$(date +%s) + 60 * $(MINUTES))); while [ "$$(date +%s)" -lt "$$end" ]; do \
		MLXLINT_FUZZ=100 $(BIN)/pytest -q tests/test_fuzz.py || exit 1; done

check:
	bash .ci/run

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .mlxlint_cache .hypothesis *.egg-info
