# Every target makes what it needs; the environment is made once, in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help env dev bench test test-slow speed docs check format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.made ## the environment: optbench and what it needs
dev: $(VENV)/.made-dev ## the same with what tests and checks need

bench: env ## the quick suite and its report: reports/quick/index.html
	$(BIN)/optbench run suite=quick
	$(BIN)/optbench report results/quick
	@echo "Open reports/quick/index.html in a browser."

test: dev ## the tests, but for the slow ones
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-slow: dev ## the slow tests
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

speed: dev ## ours beside bare torch loops
	$(BIN)/python -m benchmarks.speed

docs: dev ## the pages of optimizers and schedules, and what solves what (minutes)
	$(BIN)/python -m docs.generate --smoke

check: dev ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: dev ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and everything generated
	rm -rf $(VENV) build dist *.egg-info .asv .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/.made: pyproject.toml constraints.txt
	@echo "Making the environment in $(VENV); torch alone is some 200 MB, so this takes minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.made-dev: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@
