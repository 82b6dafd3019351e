# Everything a person types. State lies under var/ (ONELEDGER_HOME moves it), the environment is .venv/.
PYTHON ?= python3.11
VENV   := .venv/bin
HOME_DIR := $(or $(ONELEDGER_HOME),var)
DBT := $(CURDIR)/.venv/bin/dbt
PYTEST_WORKERS ?= 3

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export ONELEDGER_WAREHOUSE ?= $(abspath $(HOME_DIR)/warehouse/warehouse.duckdb)

.DEFAULT_GOAL := help
.PHONY: help setup run up test soak lint lint-python lint-types lint-sql lint-dbt lint-catalogue lint-rules bench spark docs freshness lock audit sbom environment clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make or renew .venv from requirements.lock (the others call this; nothing to do the second time)
	@command -v $(PYTHON) >/dev/null || { echo "set-up: $(PYTHON) is not on the PATH. Install Python 3.11, or: make PYTHON=/path/to/python3.11 setup" >&2; exit 2; }
	@$(PYTHON) scripts/set_up.py

run: setup ## the nightly on a synthetic city through Airflow: ingest, check, build, publish, compare
	@$(VENV)/python -m oneledger_airflow.standalone run

up: setup ## Airflow with its pages; prints the address and how to log in; Ctrl-C ends it
	@$(VENV)/python -m oneledger_airflow.standalone up

test: setup ## all tests (TESTS=path and PYTEST_ARGUMENTS="-k name" narrow it down)
	@$(VENV)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not soak" $(PYTEST_ARGUMENTS) $(or $(TESTS),tests)

# One after another: several of them start a whole stack each. PYTEST_WORKERS=2 on the command line says otherwise.
soak: PYTEST_WORKERS = 1
soak: setup ## the long proofs that make test leaves out: a cell of every mart traced, older versions made again, …
	@$(VENV)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m soak $(PYTEST_ARGUMENTS) $(or $(TESTS),tests)

lint: lint-python lint-types lint-sql lint-dbt lint-catalogue lint-rules ## all of the following; pre-commit runs the same

lint-python: setup ## ruff, with its Airflow rules
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

lint-types: setup ## mypy
	$(VENV)/mypy

lint-sql: setup ## sqlfluff on the dbt project
	$(VENV)/sqlfluff lint --disable-progress-bar --processes 2 dbt_project/models

lint-dbt: setup ## dbt can read its project
	$(VENV)/dbt --quiet parse --no-partial-parse --project-dir dbt_project --profiles-dir dbt_project

lint-catalogue: setup ## the source catalogue is valid
	$(VENV)/oneledger doctor --catalogue

lint-rules: setup ## the rules of the evaluation add up
	$(VENV)/oneledger rules check

bench: setup ## rows, seconds per stage, memory, one more day, ratio to plain DuckDB SQL (SCALE=1000 BENCH_HOME=DIR: a province)
	@$(VENV)/python -m benchmarks $(if $(SCALE),province $(BENCH_HOME) --scale $(SCALE),night)

docs: setup ## dbt's documentation pages; with columns as built when there is a warehouse
	@cd dbt_project && if [ -f "$(ONELEDGER_WAREHOUSE)" ]; then $(DBT) docs generate --static; \
	  else $(DBT) --quiet parse && $(DBT) docs generate --static --no-compile --empty-catalog; fi
	@echo "open dbt_project/target/static_index.html"

spark: setup ## the marts on a Spark cluster of this machine, compared with DuckDB's (SPARK_ARGUMENTS="build --json")
	@$(PYTHON) scripts/set_up.py spark
	@PYTHONPATH=spark $(VENV)/python -m oneledger_spark $(or $(SPARK_ARGUMENTS),build)

freshness: setup ## dbt's word on how old each source is, beside the age that the source catalogue allows
	@cd dbt_project && $(DBT) source freshness --profiles-dir .

lock: setup ## resolve requirements.in into requirements.lock (hashes, no registry address)
	$(VENV)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 requirements.in -o requirements.lock
	@for wanted in $(wildcard environments/*.in); do echo "$$wanted"; \
	  $(VENV)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 "$$wanted" -o "$${wanted%.in}.lock" || exit; done

audit: setup ## known vulnerabilities of every locked package, from an advisory service; exit 2 where none is reachable
	@$(PYTHON) scripts/set_up.py audit
	@$(VENV)/python scripts/audit_dependencies.py

sbom: setup ## what the product is made of: var/sbom.cdx.json (CycloneDX, with licences; SBOM=path)
	@$(PYTHON) scripts/set_up.py audit
	@$(VENV)/python scripts/bill_of_materials.py "$(or $(SBOM),$(HOME_DIR)/sbom.cdx.json)"

environment: setup ## make .venvs/NAME from environments/NAME.lock: a tool that stands beside the product (NAME=…)
	@$(PYTHON) scripts/set_up.py "$(NAME)"

clean: ## remove var/, .venv/, .venvs/ and caches of this checkout, and print each
	@if [ -n "$(ONELEDGER_HOME)" ] && [ "$$(realpath -m "$(ONELEDGER_HOME)")" != "$(CURDIR)/var" ]; then \
	  echo "kept $(ONELEDGER_HOME) (ONELEDGER_HOME lies outside var/; remove it yourself if you mean it)"; fi
	@if [ -d var/evaluations ]; then chmod -R u+w var/evaluations; fi # confirmed evaluation runs are read-only
	@for path in var .venv .venvs .pytest_cache .ruff_cache .mypy_cache .hypothesis \
	  dbt_project/target dbt_project/logs logs $$(find . -name __pycache__ -type d -not -path './.venv/*' -not -path './.venvs/*' -not -path './var/*'); do \
	  if [ -e "$$path" ] || [ -L "$$path" ]; then echo "removing $$path"; rm -rf -- "$$path"; fi; done
