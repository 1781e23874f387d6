# Every target sets up what it needs: Python >= 3.11, make and PyPI are enough.
# `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ifeq ($(UV),)
UV := .uv/bin/uv
endif
PYTEST_ARGS ?=
# The same seed plans the same orders and faults.
SEED ?= 1
# Held at 100 % line and branch coverage.
MONEY := oneclickdz/*,topups/lifecycle.py,topups/records.py,topups/people.py,topups/looking_up.py,topups/resending.py,topups/kept_back.py,topups/order.py,topups/policy.py,topups/books/differences.py,topups/books/reconciliation.py,topups/books/movements.py,topups/books/auditing.py

.PHONY: help setup demo test check chaos chaos-long bench up down logs worker format clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Make .venv ready (all other targets do so by themselves)

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip --quiet install uv

$(VENV)/.ready: pyproject.toml uv.lock $(filter .uv/bin/uv,$(UV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.x")'
	UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --python $(PYTHON)
	@touch $@

demo: setup ## Watch real orders survive kills: server, provider stand-in and worker on this machine
	@$(BIN)/topup demo $(DEMO_ARGS)

test: setup ## Run all tests, with coverage of the code that handles money checked
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m pytest -n auto --dist worksteal --ignore tests/system --ignore tests/containers --cov --cov-report= $(PYTEST_ARGS)
	@$(BIN)/python -m coverage report --fail-under=100 --include='$(MONEY)'
	@$(BIN)/python -m pytest tests/system $(PYTEST_ARGS)
	@$(BIN)/python -m pytest tests/system --temporal-server postgresql $(PYTEST_ARGS)
	@$(BIN)/python -m pytest tests/containers $(PYTEST_ARGS)

chaos: setup ## Break everything once, on purpose, and let the provider's ledger judge (SEED=1; under 6 minutes)
	@$(BIN)/python -m tests.chaos short --seed $(SEED) $(CHAOS_ARGS)

chaos-long: setup ## The same for two hours: 12 seeds, 7,000 orders, 1,000 kills (CHAOS_ARGS="--seeds 30")
	@$(BIN)/python -m tests.chaos long --first-seed $(SEED) $(CHAOS_ARGS)

bench: setup ## Measure against controls of the same run; about an hour on a quiet machine (BENCH="engine replay")
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --group bench --python $(PYTHON)
	@$(BIN)/python -m benchmarks $(BENCH) $(BENCH_ARGS)

check: setup ## Lint, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy topups oneclickdz activities workflows watch starter simulator worker.py tests benchmarks
	$(BIN)/lint-imports

up: ## The whole stack in containers: PostgreSQL, Temporal, UI, two workers, the provider's stand-in (needs Docker)
	docker compose up --build --wait
	@echo "UI: http://localhost:8080 - try: docker compose exec worker topup --help"

down: ## Stop the stack; its orders are kept (with their volumes: docker compose down -v)
	docker compose down

logs: ## Follow the workers' logs
	docker compose logs --follow worker

worker: setup ## Run a worker (settings by environment, see README)
	$(BIN)/python worker.py

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the virtual environments and caches
	rm -rf $(VENV) .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
