# `make run` and `make test` work from a plain clone with Python 3.11 to 3.13; both are quick when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode
STUDY ?= studies/quickstart.yaml
# One more than cores: a sixth of the time of the tests is spent waiting for servers and processes.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)

.PHONY: run server test test-long test-gpu test-compose test-next soak many fuzz screenshots docs architecture check keys format dev lock clean help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(UV):
	@echo "making $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "hpo needs Python 3.11 to 3.13; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# A development set-up holds all that a plain one does, so that switching between `make run` and `make test` installs nothing.
$(VENV)/.run: requirements.lock pyproject.toml | $(UV)
	@test -f $(VENV)/.dev && test $(VENV)/.dev -nt requirements.lock \
	  || { echo "installing what is locked (about 6 GB with CUDA, once)"; $(INSTALL) --require-hashes -r requirements.lock; }
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(UV)
	@echo "installing what is locked, with the development extras"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# For a head node and for nodes of a shared study: the run-time set-up with PostgreSQL's driver, server and the dashboard.
$(VENV)/.server: requirements-server.lock pyproject.toml | $(UV)
	@echo "installing what is locked, with PostgreSQL (about 6 GB with CUDA, once)"
	@$(INSTALL) --require-hashes -r requirements-server.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

run: $(VENV)/.run  ## install, run the quick-start study to its end
	@$(BIN)/hpo data demo --if-missing
	@$(BIN)/hpo run $(STUDY)

dev: $(VENV)/.dev  ## install everything, development extras included

server: $(VENV)/.server  ## install what several machines need: PostgreSQL's driver and server, optuna-dashboard

test: $(VENV)/.dev  ## the test suite (under 12 minutes on 2 cores)
	@$(BIN)/python -m pytest -m "not long" -n $(WORKERS) --dist worksteal

test-long: $(VENV)/.dev  ## the tests that take minutes each
	@$(BIN)/python -m pytest -m "long and not compose" -n auto --dist loadfile

test-gpu: $(VENV)/.dev  ## what only a GPU shows (the first one, which they take whole)
	@$(BIN)/python -m pytest -v tests/gpu

test-compose: $(VENV)/.dev  ## docker-compose.cpu.yml on a Docker engine (its own where none runs): docs/operations.md, "Docker"
	@HPO_COMPOSE_BASES=$(BASES) HPO_TORCH=$(TORCH) $(BIN)/python -m pytest -v -m compose -o log_cli=true -o log_cli_level=INFO tests/compose

test-next: $(VENV)/.dev  ## parity and patches on the newest Ultralytics (or RELEASE=8.4.200), in a venv of its own (build/next)
	@$(BIN)/python -m tests.newest $(RELEASE)

screenshots: $(VENV)/.dev  ## pictures of MLflow's pages, as docs/images shows them, into build/screenshots
	@HPO_SCREENSHOTS=build/screenshots $(BIN)/python -m pytest -q tests/browser

docs: $(VENV)/.dev  ## these pages with the API reference as HTML, into build/docs; a broken link is an error
	@$(BIN)/python -m sphinx -b html -W -n --keep-going -q docs build/docs
	@echo "open build/docs/index.html"

architecture: $(VENV)/.dev  ## draw the packages in docs/images from the import contracts and the imports
	@PYTHONPATH=. $(BIN)/python docs/architecture.py

soak: $(VENV)/.dev  ## workers and servers that are killed, stopped and cut off (200 trials die, 20 minutes to an hour)
	@$(BIN)/python -m tests.soak.chaos --workers 8 --real 2 --deaths 200 --restarts 20 --limit-s 7200

many: $(VENV)/.dev  ## 40 workers with faked trainings on one PostgreSQL for 3 minutes: connections, signs of life
	@$(BIN)/python -m tests.soak.many --workers 40 --seconds 180

SECONDS ?= 600
fuzz: $(VENV)/.dev  ## inputs that nobody would write, for every reader, SECONDS=600 long: no trace, no hang, no gigabyte
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

check: $(VENV)/.dev  ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache

keys: $(VENV)/.dev  ## the table of keys in docs/study-file.md, from their definition
	@PYTHONPATH=. $(BIN)/python docs/keys_page.py docs/study-file.md

format: $(VENV)/.dev  ## rewrite in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: | $(UV)  ## resolve the locks anew
	@$(UV) pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet \
	  --extra build pyproject.toml --output-file requirements.lock
	@$(UV) pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet \
	  --all-extras --constraints requirements.lock pyproject.toml --output-file requirements-dev.lock
	@$(UV) pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet --extra build \
	  --extra server --extra dashboard --constraints requirements-dev.lock pyproject.toml --output-file requirements-server.lock

clean:  ## remove what runs left behind (not .venv)
	@rm -rf runs data build .mypy_cache .ruff_cache .pytest_cache .hypothesis
