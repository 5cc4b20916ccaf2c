# What a user and a developer type. Everything runs in .venv; bootstrap mode needs no server and,
# once installed, no internet. Tests that need servers find them by the environment.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS ?= dev
PYTEST_ARGS ?=
# Which servers: timescaledb postgres redis kafka, all when empty.
SERVICES ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo dev services services-stop test lint bench clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## create .venv with the pinned packages

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)) and "Python 3.11 to 3.13 is needed; name one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: setup ## run the whole graph over the sample vendors and say where to look
	$(BIN)/emp demo

dev: setup ## open the Dagster UI (webserver and daemon) on localhost
	$(BIN)/emp dev

services: ## start TimescaleDB, PostgreSQL, Redis and Kafka on loopback; prints their settings
	@$(PYTHON) docker/services up $(SERVICES)

services-stop: ## stop them and remove their data
	@$(PYTHON) docker/services down

test: setup ## run the tests; those of servers need the settings that 'make services' prints
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## measure the ratios that benchmarks/ holds
	$(BIN)/python -m benchmarks

clean: ## remove the environment and caches; your data stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
