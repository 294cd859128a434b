# Everything a person or CI does with this project.  Each target is a line or two over setup/.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down clean test check bench soak fuzz engine-stop

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## get what is missing: engine, images, .venv; starts nothing else
	@setup/engine.sh
	@setup/base-image.sh
	@setup/images.sh
	@setup/venv.sh

demo: up ## run the demo DAG on the stack and print its results
	@.venv/bin/python setup/demo.py

up: setup ## start the stack and wait until it is healthy
	@setup/up.sh

down: ## stop and remove all of it; job folders and images stay
	@setup/down.sh

clean: down ## down, and remove job folders, .venv and .tools too
	@setup/clean.sh

test: setup ## all tests; those of the whole stack included
	@setup/browser.sh
	@setup/test.sh $(ARGS)

check: ## lint, types, layers and unit tests; needs no engine
	@setup/venv.sh
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -q -n 4 -m "not whole" tests/unit

bench: setup ## side-by-side measurements
	.venv/bin/python -m bench $(ARGS)

MINUTES ?= 5
soak: setup ## random jobs under random faults for MINUTES=5; add ARGS="--seed N" to repeat one
	.venv/bin/python -m tests.soak --minutes $(MINUTES) $(ARGS)

fuzz: ## random examples for the unit tests for MINUTES=5; add SEED=N to repeat one round; needs no engine
	@setup/venv.sh
	@setup/fuzz.sh $(MINUTES) $(SEED)

engine-stop: ## stop the Docker Engine, if make setup started it
	@setup/engine-stop.sh
