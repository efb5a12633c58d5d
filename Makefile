# The same commands here and in CI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FOLDERS := core specs native warehouse research trading assets pipelines qcli
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) .dev/quant ## build into .venv

$(STAMP): pyproject.toml requirements.lock native/CMakeLists.txt $(wildcard native/src/*.cpp native/src/*/*.cpp native/bind/*.cpp native/include/quant/*.hpp native/include/quant/*/*.hpp)
	@PYTHON=$(PYTHON) sh scripts/setup.sh
	@touch $@

.dev/quant: ## links for editors and type checkers
	@mkdir -p .dev/quant
	@ln -sfn ../../quant/__init__.py .dev/quant/__init__.py
	@for f in $(FOLDERS); do ln -sfn ../../$$f .dev/quant/$$f; done

native: ## rebuild the C++ extension only (fast, while developing)
	@sh scripts/setup.sh --native
	@$(BIN)/python -m nanobind.stubgen -q -m quant.native._native -o native/_native.pyi

demo: setup ## simulated market -> backtest -> paper session, in this clone
	@$(BIN)/python scripts/demo.py

test: setup ## the tests
	@$(BIN)/python -m pytest -q -n auto

check: setup ## the static gate: ruff, mypy, import-linter, clang-format
	@$(BIN)/ruff check .
	@MYPYPATH=.dev $(BIN)/mypy -p quant
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/clang-format --dry-run --Werror $$(git ls-files 'native/*.cpp' 'native/*.hpp')

check-native: setup ## the C++ tests under ASan, UBSan and TSan, then the fuzzers (FUZZ_SECONDS each; needs clang)
	@sh scripts/check_native.sh

soak: setup ## the long suites, whole
	@QUANT_SOAK=1 $(BIN)/python -m pytest -q -n auto --durations=15

bench: setup ## ours, a peer (PEERS="vectorbt arcticdb") and the plain limit, in one run
	@$(BIN)/python tests/bench/run.py

docs: setup ## regenerate the generated pages
	@$(BIN)/python scripts/docs.py

clean: ## remove everything made here
	rm -rf .venv .dev build .quant dist

.PHONY: help setup native demo test check check-native soak bench docs clean
