# make build   set everything up and build the warehouse from the bundled sample
# make test    set everything up and run the whole test suite
# make report  write report.html, a page to look at, from the warehouse
# make site    write site/index.html, which shows every table and column
#
# Set-up is a virtual environment in .venv, installed from a lock file with hashes: with uv
# where it is present, with pip where it is not. It is brought up to date when a lock changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DBT    := $(BIN)/dbt
UV     := $(shell command -v uv 2>/dev/null)

# The commands of an environment name the folder that it was made in. A moved project makes a new one.
ifneq ($(wildcard $(VENV)/.place),)
ifneq ($(shell cat $(VENV)/.place),$(shell pwd))
$(shell rm -rf $(VENV))
endif
endif

# Checks build a warehouse of their own, from the bundled sample only, and leave the user's
# warehouse and dbt's state alone.
CHECK_DIR := target/check
CHECK     := PIDGIN_OUTPUT_DIR=sample_data/pidgin_output PIDGIN_ARCHIVE_DIR= PIDGIN_TIMEZONE=UTC \
             PIDGIN_TARGET=ci PIDGIN_WAREHOUSE=$(CHECK_DIR)/pidgin.duckdb \
             DBT_TARGET_PATH=$(CHECK_DIR)/target DBT_LOG_PATH=$(CHECK_DIR)/logs DBT_PROFILES_DIR=.

.DEFAULT_GOAL := build
.PHONY: build report site test check-dbt check-python lint lint-python lint-sql embeddings lake bench bench-detectors soak lock duckdb-2 clean

build: $(VENV)/.run
	$(DBT) build

report: $(VENV)/.run
	$(BIN)/pidgin-analytics report

test: lint check-dbt check-python

# A first build, a second one that finds nothing new, and the tests of the code. A deprecation or
# any other warning is an error.
check-dbt: $(VENV)/.dev
	rm -rf $(CHECK_DIR)
	mkdir -p $(CHECK_DIR)
	$(CHECK) $(DBT) --warn-error build
	$(CHECK) $(DBT) --warn-error --quiet build
	$(CHECK) $(DBT) --warn-error test --selector tests_of_code

check-python: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: lint-python lint-sql

lint-python: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/write_metrics_page.py --check

# The dbt templater compiles the models, for which it needs a warehouse.
lint-sql: $(VENV)/.dev
	rm -rf $(CHECK_DIR)
	mkdir -p $(CHECK_DIR)
	$(CHECK) $(DBT) --quiet build --empty
	$(CHECK) $(BIN)/sqlfluff lint --processes 0 models tests

# Every table and column, in pages that open without a server: site/index.html. From a warehouse of
# its own, so that the user's goes on showing what it shows. dbt's own page is in it, and the table of
# how all metrics of the sample compare with their second definitions.
site: $(VENV)/.dev
	rm -rf $(CHECK_DIR)
	mkdir -p $(CHECK_DIR)
	$(CHECK) $(DBT) --quiet build
	$(CHECK) $(DBT) --quiet docs generate --static
	PIDGIN_PARITY_REPORT=$(CHECK_DIR)/parity.md $(BIN)/python -m pytest --quiet tests/python/test_metric_parity.py
	$(CHECK) $(BIN)/python -m pidgin_analytics.site --artifacts $(CHECK_DIR)/target --parity $(CHECK_DIR)/parity.md

# A model that makes vectors of texts, for PIDGIN_EMBEDDING_MODEL.
embeddings: $(VENV)/.embeddings

# What PIDGIN_TARGET=lake needs; docs/lake.md.
lake: $(VENV)/.lake

# Random histories of the output folder, builds killed at random, any number in any place: hours.
soak: $(VENV)/.dev
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest --numprocesses auto \
		tests/python/test_history_equality.py tests/python/test_crash_safety.py \
		tests/python/test_archives.py tests/python/test_time_travel.py \
		tests/python/test_number_properties.py tests/python/test_publishing.py \
		tests/python/test_lake.py

# Ratios of speed, taken in one run; see benchmarks/README.md for longer ones.
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# How well patterns are found: in made-up dialogues, and in a collection with labels where
# PIDGIN_TEST_DIALOGUES and PIDGIN_TEST_LABELS say where it is. ONSETS=file.csv scores another detector.
bench-detectors: $(VENV)/.dev
	$(BIN)/python -m benchmarks.detectors $(if $(ONSETS),--onsets $(ONSETS))

# The suite on DuckDB 2.0 instead of the locked version; `make clean` goes back.
duckdb-2: $(VENV)/.dev
	$(INSTALL) duckdb==2.0.0
	$(MAKE) check-dbt check-python

# The locks name versions and hashes, no address.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		pyproject.toml --group build --output-file requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		pyproject.toml --extra embeddings --extra lake --group build --group dev \
		--output-file requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		pyproject.toml --extra embeddings --group build --output-file requirements-embeddings.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		pyproject.toml --extra lake --group build --output-file requirements-lake.lock

clean:
	rm -rf $(VENV) target logs site

# Every package is named in a lock, so there is nothing to resolve. The project itself comes
# last, for its command.
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)
define install
	$(INSTALL) --no-deps --require-hashes --requirement $(1)
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@
endef

$(BIN)/python:
	$(if $(UV),$(UV) venv --quiet --python $(PYTHON),$(PYTHON) -m venv) $(VENV)
	@pwd > $(VENV)/.place

$(VENV)/.run: requirements.lock | $(BIN)/python
	$(call install,requirements.lock)

$(VENV)/.embeddings: requirements-embeddings.lock | $(BIN)/python
	$(call install,requirements-embeddings.lock)

$(VENV)/.lake: requirements-lake.lock | $(BIN)/python
	$(call install,requirements-lake.lock)

$(VENV)/.dev: requirements-dev.lock | $(BIN)/python
	$(call install,requirements-dev.lock)
