# make demo   installs into .venv, removes a ball from a real clip, prints the result
# make test   installs into .venv, runs the tests
# make lint   ruff, mypy, and who imports whom

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: install demo test lint

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/python -m dipvid_jax.cli.demo make $(DEMO)
	bin/inpaint --config demo.py --video $(DEMO)/clip.mp4 --mask $(DEMO)/mask.mp4 \
	  --output $(DEMO)/result --overwrite
	$(BIN)/python -m dipvid_jax.cli.demo score $(DEMO)

test: install
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
