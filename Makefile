# Choreoscope's chores, one command each. All of them set up what they need in .venv first; Python 3.11 and make are enough.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-emit-index-url
ROUNDS ?= 50

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench soak docs kafka lock

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: .venv/installed  ## run everything on this machine: http://127.0.0.1:8000, or another PORT
	@exec $(BIN)/python manage.py demo

test: .venv/installed-dev  ## run all tests; ARGS="-k graph" goes to pytest
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/installed-dev  ## check style, types and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

format: .venv/installed-dev  ## put the code into its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-dev var/pm4py/bin/python  ## measure ingestion (from Apache Kafka), pages, live updates, the sweep, mining, decoding and figures; ARGS="--events 100000"
	@$(BIN)/python -m benchmarks.graphs
	@$(BIN)/python -m benchmarks.decoding
	@$(BIN)/python -m benchmarks.sweep
	@$(BIN)/python -m benchmarks.mining
	@$(BIN)/python -m benchmarks.pages --data var/bench-pages
	@$(BIN)/python -m benchmarks.live
	@$(BIN)/python -m benchmarks.ingest $(ARGS)

# PM4Py is compared with, and nothing else: apart from what Choreoscope runs with.
var/pm4py/bin/python: .venv/installed-dev
	@mkdir -p var && $(BIN)/python -m venv var/pm4py && var/pm4py/bin/python -m pip --disable-pip-version-check -q install pm4py

soak: .venv/installed-dev  ## the long runs: a collector's troubles, deadlines, then property tests on new examples for ROUNDS=50
	-@$(PIP) install --only-binary :all: atheris  # not for every Python there is one; without it its part is skipped
	@CI=true SOAK=1 $(BIN)/python -m pytest -q tests/soak
	@for round in $$(seq $(ROUNDS)); do echo "Round $$round of $(ROUNDS)"; \
		env -u CI $(BIN)/python -m pytest -q tests/property $(ARGS) || exit 1; done

docs: .venv/installed-dev  ## make docs/dialects.md out of the tables of dialects
	@$(BIN)/python -m collector.decoding.described > docs/dialects.md

kafka: .venv/installed-dev  ## run Apache Kafka in the foreground (needs Java 17 and Maven)
	@exec $(BIN)/python -m tests.stack.kafka

lock: .venv/installed-dev  ## pin the newest versions of what requirements*.in name
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Choreoscope needs Python 3.11 or newer, and none was found. If you have one, name it: make demo PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Choreoscope needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) can't make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv .venv

# A file for each set of packages says that it is installed; changed requirements are newer than it.
.venv/installed: requirements.txt | .venv/bin/python
	@echo "Installing packages into .venv (once; again when requirements.txt changes)"
	@$(PIP) install -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt | .venv/bin/python
	@echo "Installing packages into .venv (once; again when requirements-dev.txt changes)"
	@$(PIP) install -r requirements-dev.txt
	@touch $@ .venv/installed
