# Needs make and Python 3.11 or newer; everything else comes from a package registry, pinned by hash in locks/.
# Each environment is made once and again only when its lock file, this tree's place or the Python changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?=

.PHONY: help demo test torture bench dist lint models

help:
	@echo "make demo     the product at work on a demonstration home, in your browser"
	@echo "make test     functional tests and three kills"
	@echo "make lint     ruff, mypy and the import contracts"
	@echo "make torture  every test at full count"
	@echo "make bench    the gateway against its provider, as ratios in one run"
	@echo "make models   the weights of the guards again, from AFFIANT_DATA (make models AFFIANT_DATA=DIR)"
	@echo "make dist     dist/verify.pyz and its SHA-256"

demo:
	@PYTHON="$(PYTHON)" tools/environment run
	@.venv/bin/python -m affiant.testing.demo $(DEMO)

test:
	@PYTHON="$(PYTHON)" tools/environment dev
	@.venv/bin/python -m pytest -m "not slow" $(TESTS)

lint:
	@PYTHON="$(PYTHON)" tools/environment dev
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

torture:
	@PYTHON="$(PYTHON)" tools/environment dev
	@AFFIANT_TORTURE=1 .venv/bin/python -m pytest --timeout 3600 $(TESTS)

bench:
	@PYTHON="$(PYTHON)" tools/environment dev
	@.venv/bin/python -m bench $(BENCH)

models:
	@test -d "$(AFFIANT_DATA)" || { echo "Say where the public development data lies: make models AFFIANT_DATA=DIR" >&2; exit 2; }
	@PYTHON="$(PYTHON)" tools/environment dev
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/train.txt
	@for each in names injection grounded; do .venv/bin/python -m training.$$each --data "$(AFFIANT_DATA)" --out src/affiant/weights || exit 1; done

dist:
	@PYTHON="$(PYTHON)" tools/environment run
	@mkdir -p dist
	@.venv/bin/python -m affiant.affidavit.pyz dist/verify.pyz
	@cd dist && sha256sum verify.pyz | tee verify.pyz.sha256
