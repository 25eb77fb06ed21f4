# make run: set up once, then the whole way on the built-in sample. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SYSTEM_PYTHON := $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)

# every `python`, `dvc` and `prefect` below, also the one that DVC starts, is the environment's own
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1

# of pip's hundreds of lines: how far it is, what it says at the end, and every error
define PROGRESS
/^Collecting/ { printf "\r  %d packages found", ++n; fflush() } \
/^Installing collected/ { printf "\r  installing %d packages ...", n; fflush() } \
/^Successfully installed/ { print " done" } \
/ERROR|error:/ { print "\n" $$0 }
endef

.PHONY: help setup run test test-all lint up down bench bench-delta clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /make \1|/' | column -t -s '|'

setup: $(STAMP)  ## the environment in .venv, made again when constraints.txt or pyproject.toml change

$(STAMP): constraints.txt pyproject.toml
	@test -n "$(SYSTEM_PYTHON)" || { echo "no python3 found: install Python 3.11 or later"; exit 2; }
	@$(SYSTEM_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(SYSTEM_PYTHON) is too old: install Python 3.11 or later"; exit 2; }
	@test -x $(PYTHON) || $(SYSTEM_PYTHON) -m venv $(VENV)
	@# a new clone has new dates; only new contents are a reason to install
	@if test "$$(cat $(STAMP) 2>/dev/null)" != "$$(cat $^ | cksum)"; then \
		echo "installing into $(VENV): about 3 GB, a few minutes"; \
		$(PYTHON) -m pip install -c constraints.txt -e '.[dev]' 2>&1 | awk '$(PROGRESS)'; fi
	@cat $^ | cksum > $@

run: setup  ## the whole pipeline on the built-in sample: v1, then a second batch as a delta, v2
	@autoglm demo

# two processes; threads of one that wait for a core do so asleep, else they hold up the other
TEST := OMP_WAIT_POLICY=passive pytest -q -n 2 --dist loadfile

test: setup  ## tests without the slow ones
	@$(TEST)

test-all: setup  ## every test
	@$(TEST) -m ''

lint: setup  ## format, lint, types, import direction, stage names
	@ruff check . && ruff format --check . && mypy && lint-imports --no-cache && python infra/check_stage_names.py

up: setup  ## Prefect server, runner, pages of MLflow and of reports/ on this machine
	@python infra/servers.py up

down: setup  ## stop what `make up` started
	@python infra/servers.py down

bench: setup  ## medians and ratios, printed
	@python -m tests.bench

bench-delta: setup  ## deltas beside their peers on pairs of models it trains; DATA=folder with train.jsonl and test.jsonl
	@python -m tests.bench.bench_delta $(if $(DATA),--data $(DATA)) --json reports/bench-delta.json --plot reports/bench-delta.png

clean:  ## remove what runs made; keeps the inbox, the releases and .venv
	@rm -rf data/corpus data/validated data/quarantine data/graphs models reports .autoglm/code .autoglm/train .autoglm/parents \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
