# Herb Lens. `make` lists the targets. Works with GNU make 3.81 (macOS) and newer.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install

# The first Python that is new enough and can make virtual environments;
# `make venv PYTHON=/path/to/python3` chooses another.
SUITS := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3 python; do \
	if $$p -c '$(SUITS)' >/dev/null 2>&1; then echo $$p; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: help venv run test unit lint format picture bench default-model space space-try audit sbom release clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/.app  ## make .venv and install what the app needs

run: venv  ## serve the app on 127.0.0.1:7860 (GRADIO_SERVER_PORT=… for another port)
	$(PY) app.py

test: $(VENV)/.test  ## run every test (ARGS="-k photo" for some)
	$(PY) -m pytest $(ARGS)

unit: $(VENV)/.test  ## run the quick tests only: no browser, no second process, no photos from outside
	$(PY) -m pytest -m "not browser and not process and not data" $(ARGS)

lint: $(VENV)/.dev  ## check style and types (`make format` mends most of the style)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.dev  ## mend what can be mended of the style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

picture: $(VENV)/.python  ## draw docs/architecture.svg anew from what the code imports
	$(PY) -m scripts.architecture

DATA := ../shared
NAME := herbs-31-new
# Feature maps are large: let glibc keep their memory, not give it back and page it in again. A
# sixth to a third less time on the CPU; see benchmarks/RECIPE.md.
FAST_MALLOC := MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=20000000000
default-model: $(VENV)/.dev  ## train the shipped model anew as NAME=… on the photos in DATA=…
	$(FAST_MALLOC) $(PY) -m benchmarks.default_model $(DATA) --name $(NAME)
	$(PY) -m benchmarks.model_card $(DATA) --model $(NAME)

# One script that fails does not keep the others, or the report, from being made.
BENCH := answer engines app herbs batch start
bench: $(VENV)/.bench  ## measure speed and write benchmarks/RESULTS.md, 15 minutes (ARGS="--turns 3" for a look)
	@failed=; \
	for name in $(BENCH); do $(PY) -m benchmarks.$$name $(ARGS) || failed="$$failed $$name"; done; \
	if [ -d $(DATA)/herbs ]; then \
		$(PY) -m benchmarks.training $(DATA) --json benchmarks/results/training.json $(ARGS) \
			|| failed="$$failed training"; \
	else echo "training was not measured: there are no photos in $(DATA); DATA=FOLDER names others"; fi; \
	$(PY) -m benchmarks.report || failed="$$failed report"; \
	[ -z "$$failed" ] || { echo "not measured:$$failed" >&2; exit 1; }

release: $(VENV)/.release  ## check, build and tag VERSION=x.y.z; pushes nothing (ARGS=--dry-run to see)
	$(PY) -m scripts.release $(VERSION) $(ARGS)

space: $(VENV)/.app  ## build the folder of a Hugging Face Space and check it: build/space
	$(PY) -m scripts.space $(ARGS)

space-try: $(VENV)/.test  ## … and rehearse it: a clean environment, read-only code, a browser
	$(PY) -m scripts.space_try $(ARGS)

# In a place of their own, so that what they need is not taken for what the app needs.
AUDIT := $(VENV)/audit
audit: $(VENV)/.audit  ## look the installed packages up among known vulnerabilities (needs the internet)
	$(PY) -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > $(AUDIT)/installed.txt
	$(AUDIT)/bin/python -m pip_audit --strict --disable-pip --no-deps --progress-spinner off \
		-r $(AUDIT)/installed.txt

sbom: $(VENV)/.audit  ## write the software bill of materials of what is installed, sbom.json
	$(AUDIT)/bin/python -m cyclonedx_py environment --output-reproducible --pyproject pyproject.toml \
		--of JSON -o sbom.json $(PY)

clean:  ## remove .venv and the caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

# Each stamp is newer than what it was installed from, so a second `make` has nothing to do.
$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Herb Lens needs Python 3.11 or newer with its venv module:" \
		"install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install" \
		"python@3.12), or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c '$(SUITS)' || { echo "$(PYTHON) cannot be used: Herb Lens needs Python 3.11 or" \
		"newer with its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.app: requirements.txt $(VENV)/.python
	@echo "Installing requirements.txt into $(VENV); the first time this downloads PyTorch."
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.app
	$(PIP) --quiet --editable '.[test]'
	@touch $@

$(VENV)/.bench: pyproject.toml $(VENV)/.app
	$(PIP) --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.test
	$(PIP) --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.release: pyproject.toml $(VENV)/.dev
	$(PIP) --quiet --editable '.[release]'
	@touch $@

$(VENV)/.audit: $(VENV)/.app
	$(PY) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip --disable-pip-version-check install --quiet \
		'pip-audit>=2.9,<3' 'cyclonedx-bom>=7,<8'
	@touch $@
