# One word per job. The first one sets up .venv; a second run finds nothing to do.
# Another interpreter: make PYTHON=python3.12 …   Only some clips: make clips CLIPS="bbb bikes"

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CLIPS ?= --all

.DELETE_ON_ERROR:
.PHONY: help setup demo test check lint types imports bars results clips clean

help:
	@echo "make demo    encode and decode the bundled clip; results land in out/"
	@echo "make test    run the tests"
	@echo "make check   run every static check: lint, types, imports"
	@echo "make bars    print the measured promises, missed ones first"
	@echo "make results write docs/results.md from the JSON under benchmarks/results"
	@echo "make clips   fetch the test clips into benchmarks/clips/"
	@echo "make setup   only create $(VENV); make clean removes what the others left, but not $(VENV)"

setup: $(INSTALLED)

demo: $(INSTALLED)
	$(RUN)/python examples/demo.py

test: $(INSTALLED)
	$(RUN)/python -m pytest -q -n auto

check: lint types imports

lint: $(INSTALLED)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: $(INSTALLED)
	$(RUN)/mypy

imports: $(INSTALLED)
	$(RUN)/lint-imports

bars: $(INSTALLED)
	@$(RUN)/python benchmarks/bars.py

results: $(INSTALLED)
	$(RUN)/python -m benchmarks.report

clips: $(INSTALLED)
	$(RUN)/python benchmarks/clips.py $(CLIPS)

clean:
	rm -rf out dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted set-up starts again.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "nervid needs Python 3.11 or newer; found no $(PYTHON). \
	Install it: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nervid needs Python 3.11 or \
	newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "nervid needs the venv module, which this \
	$(PYTHON) lacks. Install it: apt-get install python3-venv" >&2; exit 1; }
	@echo "set-up 1/3: creating $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@echo "set-up 2/3: upgrading pip"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@echo "set-up 3/3: installing nervid and what it needs, about 2 GB on disk (a few minutes)"
	@$(RUN)/python -m pip install --quiet -c constraints.txt -e '.[compare,ffmpeg,search,dev]'
	@touch $@
	@echo "set-up done"
