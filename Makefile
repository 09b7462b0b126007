# make setup | test | fast | lint | demo | docs | clean. Each sets up what it needs, on a fresh machine too.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV ?= .venv
DOCS_VENV ?= .venv-docs
SEED ?= 0
TEST_PROCESSES ?= 2
PY := $(VENV)/bin/python

REQUIREMENTS := requirements.txt requirements-dev.txt
HASH := $(firstword $(shell cat $(REQUIREMENTS) | sha256sum))
READY := $(VENV)/.ready-$(HASH)
DOCS_READY := $(DOCS_VENV)/.ready-$(firstword $(shell cat requirements-docs.txt | sha256sum))
CHECKOUT := $(CURDIR) $(firstword $(shell cat setup.py mmbt/version.py | sha256sum))

# An environment may serve several checkouts; what runs here uses this one.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

.PHONY: setup test fast lint demo docs clean

setup: $(READY)
	@if [ "$$(cat $(VENV)/.checkout 2> /dev/null)" != "$(CHECKOUT)" ] || [ ! -e mmbt/.mim/tools ]; \
	then \
	    $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable . && \
	    echo "$(CHECKOUT)" > $(VENV)/.checkout; \
	fi

$(READY):
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --requirement requirements-dev.txt
	$(PY) -c 'import cv2' 2> /dev/null || $(MAKE) opencv-without-display
	rm -f $(VENV)/.ready-*
	touch $@

# Both OpenCVs that mmcv and mmaction2 ask for need the system's libGL; where there is none, the
# headless build of the same version takes their place.
.PHONY: opencv-without-display
opencv-without-display:
	$(PY) -m pip install --quiet --no-deps --force-reinstall \
	    $$(sed -n 's/^opencv-python==/opencv-python-headless==/p' requirements.txt)
	$(PY) -c 'import cv2'

# One thread each: processes that share cores and have a thread for each core wait for one another.
test: setup
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(PY) -m pytest -n $(TEST_PROCESSES) --dist loadfile

# What tells most in a minute or so: no training, no process, no hundreds of cases of one kind.
fast: setup
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(PY) -m pytest -n $(TEST_PROCESSES) --dist loadfile -m 'not slow'

lint: setup
	$(PY) -m ruff check . && $(PY) -m mypy

demo: setup
	$(PY) tools/mmbt demo --seed $(SEED)

# The site reads the code as text: it needs nothing of mmbt's own requirements.
docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict

$(DOCS_READY): requirements-docs.txt
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --requirement requirements-docs.txt
	rm -f $(DOCS_VENV)/.ready-*
	touch $@

clean:
	rm -rf .venv .venv-docs site build dist mmbt.egg-info mmbt/.mim work_dirs
	rm -rf .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
