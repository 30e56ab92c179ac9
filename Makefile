# `make demo` and `make test` make what they need; nothing has to be installed first but Python and make.
BIN := .venv/bin
DEMO := build/demo
PINS := pyproject.toml requirements/make-env.sh requirements/lava-py310.txt requirements/core.txt
# Networks in tests are small: one process a core, one thread a process.
PYTEST_ENV := OMP_NUM_THREADS=1
# Long runs that try to break things; docs/reliability.md says what they found.
CAMPAIGN := OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m campaigns
PYTEST_ARGS ?= --numprocesses auto --maxprocesses 4

.PHONY: help env demo test test-all lint types docs ci test-newer dist sbom audit mutants kills lava-runs fuzz fuzz-nightly fuzz-minute ratios clean

help:
	@grep -E '^# make ' Makefile | cut -c 3-

# make env         the environment .venv: Python 3.10 with Lava, or a newer Python without it
env: .venv/.ready

.venv/.ready: $(PINS)
	requirements/make-env.sh default .venv

.venv-newer/.ready: $(PINS)
	requirements/make-env.sh newer .venv-newer

# make demo        teacher to report on the embedded digits, from nothing, into build/demo
demo: .venv/.ready
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
	SPIKEWRIGHT_CACHE=$(DEMO)/cache OMP_NUM_THREADS=1 $(BIN)/spikewright run --data digits --energy-budget 1uJ --out $(DEMO)

# make test        the tests that do not take long, some of them on Lava: five minutes on two cores
test: .venv/.ready
	$(PYTEST_ENV) $(BIN)/python -m pytest $(PYTEST_ARGS) -m "not long"

# make test-all    every test, about twenty-five minutes on two cores
test-all: .venv/.ready
	$(PYTEST_ENV) $(BIN)/python -m pytest $(PYTEST_ARGS)

# make lint        ruff: rules and layout; import-linter: packages import downwards only
lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache

# make types       mypy, strict
types: .venv/.ready
	$(BIN)/mypy

# make docs        the pages, into build/site
# (not with --quiet, which hides from --strict the warnings that it counts)
docs: .venv/.ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

# make ci          lint, types, docs, every test, a minute of wrong files and a demo from nothing
ci: lint types docs test-all fuzz-minute demo

# make test-newer  the tests on Python 3.12 or later with the current torch and numpy 2, without Lava
test-newer: .venv-newer/.ready
	$(PYTEST_ENV) .venv-newer/bin/python -m pytest $(PYTEST_ARGS)

# make lava-runs   1,000 Lava simulations in a row, a fifth of them ended; counts what is left behind, over an hour
lava-runs: .venv/.ready
	$(CAMPAIGN).lava_runs

# make dist        the wheel and the source archive, into dist; nothing is uploaded
dist: .venv/.ready
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

.venv/.campaigns: .venv/.ready requirements/campaigns.txt
	requirements/make-env.sh campaigns .venv

# make sbom        what a user installs, with every extra, as CycloneDX JSON in build/spikewright.cdx.json
sbom: .venv/.campaigns
	mkdir -p build
	requirements/sbom.sh build/spikewright.cdx.json

# make audit       known vulnerabilities of the pinned requirements; fails, too, where they cannot be looked up
audit: .venv/.campaigns
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements/lava-py310.txt
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements/core.txt

# make mutants     1,000 small changes of the code that decides numbers, each of which a test has to notice
mutants: .venv/.campaigns
	$(CAMPAIGN).mutants --count 1000 --seed 1

# make kills       ends every verb that writes, 42 times each, by signals, limits and full disks; nothing may be torn or lost
kills: .venv/.ready
	$(CAMPAIGN).kills --each 42 --seed 0

# make fuzz        a million wrong files for every reader, about an hour; log and counts in build/campaigns/fuzz
fuzz: .venv/.ready
	$(CAMPAIGN).fuzz --seed 1

# make fuzz-nightly ten minutes of it, other inputs every day
fuzz-nightly: .venv/.ready
	$(CAMPAIGN).fuzz --seed $$(date -u +%Y%m%d) --seconds 600

# make fuzz-minute 6,000 of the same, about a minute
fuzz-minute: .venv/.ready
	$(CAMPAIGN).fuzz --seed 1 --inputs 6000

# make ratios      whether the simulator or a training step has become slower: ratios of speeds beside those on record, two minutes
ratios: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ratios.py

# make clean       remove what was made, environments included
clean:
	rm -rf build dist .venv .venv-newer .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis
