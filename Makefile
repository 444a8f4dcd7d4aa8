# Everything starts here. `make demo` and `make test` install what they need the first time.
.DEFAULT_GOAL := help
.PHONY: help demo up test coverage lint format bench screenshots doctor clean install install-dev
SHELL := /bin/sh
BIN := .venv/bin
TEMPLATES = $$(find templates -name '*.html')
TESTS ?=
# Two at a time, each file as a whole in one of them; WORKERS=0 for one after the other, as a debugger wants it.
WORKERS ?= 2

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: install ## start Galley with a loaded workspace (PORT=8081 make demo for another port)
	@exec $(BIN)/python manage.py up --demo

up: install ## start Galley with your own, empty workspace
	@exec $(BIN)/python manage.py up

test: install-dev ## run every test, browser journeys included (TESTS=tests/prompts for some)
	@CHROMIUM=$$(scripts/chromium) && export CHROMIUM && $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

coverage: install-dev ## run every test and say which lines none of them reached
	@CHROMIUM=$$(scripts/chromium) && export CHROMIUM && $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term-missing:skip-covered $(TESTS)

lint: export SECRET_KEY ?= only-for-lint
lint: install-dev ## style, types, layers, templates, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy apps llmops_site
	$(BIN)/lint-imports
	$(BIN)/djade --target-version 5.2 --check $(TEMPLATES)
	$(BIN)/djhtml --check $(TEMPLATES)
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

format: install-dev ## put code and templates into shape
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	-$(BIN)/djade --target-version 5.2 $(TEMPLATES)
	-$(BIN)/djhtml $(TEMPLATES)

bench: install-dev ## measure, each script beside its floor
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

screenshots: install-dev ## photograph every page of the demo workspace
	@CHROMIUM=$$(scripts/chromium) && export CHROMIUM && $(BIN)/python scripts/screenshots.py

doctor: install ## say in plain words what is missing
	@$(BIN)/python manage.py doctor

clean: ## remove what can be made again; var/ (your data) and .venv stay
	@rm -rf staticfiles htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	@find apps llmops_site tests bench scripts -name __pycache__ -prune -exec rm -rf {} +

install:
	@scripts/install requirements.lock

install-dev:
	@scripts/install requirements-dev.lock
