# `make` alone lists the targets. Nothing here needs more than Python 3.11 and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo run test test-services test-browser check bench chaos docs clean

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps --only-binary=:all:
PYTEST := $(PY) -m pytest
WORKERS ?= 2
ARGS ?=

export TEST_DATABASE_URL ?=
export TEST_REDIS_URL ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## Make the environment in .venv from the hashed lock

demo: .venv/.installed ## Load a demonstration registry and serve it on 127.0.0.1:8000 (PORT=…)
	@exec $(PY) -m config.serve --demo

run: .venv/.installed ## Serve the registry: web, worker and beat
	@exec $(PY) -m config.serve

test: .venv/.installed-dev ## Run the tests that need no service and no browser (ARGS=… goes to pytest)
	$(PYTEST) -q -n $(WORKERS) -m "not services and not browser and not chaos and not benchmark" $(ARGS)

test-services: export TEST_DATABASE_URL := $(or $(TEST_DATABASE_URL),postgres://postgres@127.0.0.1:5432/postgres)
test-services: export TEST_REDIS_URL := $(or $(TEST_REDIS_URL),redis://127.0.0.1:6379/1)
test-services: .venv/.installed-dev ## Run the same tests and those of the services on PostgreSQL and Redis
	@$(PY) tests/reach_services.py
	$(PYTEST) -q -n $(WORKERS) -m "not embedded and not browser and not chaos and not benchmark" $(ARGS)

test-browser: .venv/.installed-dev ## Walk through the pages in Chromium
	@.ci/packages chromium fonts-liberation
	$(PYTEST) -q -m browser $(ARGS)

check docs: export DATA_DIR := $(CURDIR)/.mypy_cache/data
check: .venv/.installed-dev ## Style, types, imports, migrations, conventions, and that the reference pages are current
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m djlint templates --lint --quiet
	.venv/bin/lint-imports --no-logo --no-cache
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) -m config.reference --check
	$(PY) -m pip --disable-pip-version-check check
	$(PYTEST) -q tests/test_conventions.py

bench: .venv/.installed-dev ## Measure speed against the stated limits
	$(PYTEST) -q -s -m benchmark $(ARGS)

chaos: export FULL_FIGURES := 1
chaos: .venv/.installed-dev ## Kill, flood and race the running processes; every figure at full size
	$(PYTEST) -q -m "chaos or figures" $(ARGS)

docs: .venv/.installed ## Write docs/reference from the code
	$(PY) -m config.reference

clean: ## Remove the environment and what the tools made (data in DATA_DIR stays)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@for candidate in python3 python3.13 python3.12 python3.11; do \
	  if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    exec $$candidate -m venv .venv; \
	  fi; \
	done; \
	echo "Python 3.11 or newer with its venv module is needed (found: $$(python3 --version 2>&1 || true))." \
	  "On Debian: apt install python3 python3-venv" >&2; exit 1

.venv/.installed: requirements.lock | .venv/bin/python
	$(PIP) -r requirements.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock requirements.lock | .venv/bin/python
	$(PIP) -r requirements-dev.lock
	@touch .venv/.installed $@
