# make demo   installs into .venv, removes a ball from a real clip, prints the result
# make test   installs into .venv, runs the tests
# make lint   ruff, mypy, and who imports whom
# make test-newest   the tests under the newest Python here and the newest JAX for it,
#             in an environment of their own, made anew; TESTS=... runs a part

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

NEWEST := .venv-newest
# JAX 0.11 needs Python 3.12.
NEWEST_PYTHON ?= $(shell for minor in 14 13 12; do \
  for python in python3.$$minor $(HOME)/.pyenv/versions/3.$$minor.*/bin/python; do \
    $$python -c '' 2>/dev/null && echo $$python && exit; done; done)
TESTS ?=

.PHONY: install demo test test-newest lint

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

# In the order of collection: xdist's own puts slow files of few tests last.
test: install
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-newest:
	test -n "$(NEWEST_PYTHON)" || { echo "needs Python 3.12 or later: NEWEST_PYTHON=..."; exit 1; }
	rm -rf $(NEWEST)
	$(NEWEST_PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(NEWEST)/bin/python -c "import jax, sys; print('JAX', jax.__version__, 'Python', sys.version)"
	$(NEWEST)/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(TESTS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
