# Everything runs in .venv, which is made where there is none: Python 3.11 or later, pip and make do.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
BENCH := $(VENV)/bench

.PHONY: help install demo test integration fuzz lint bench lock clean

help:
	@echo "make install      set up .venv from requirements.lock"
	@echo "make demo         the whole flow on a synthetic archive, into ./demo-output"
	@echo "make test         unit tests"
	@echo "make integration  tests on real Ray clusters and in a browser"
	@echo "make fuzz N=200   so many damaged files of each transfer syntax, and header bombs"
	@echo "make lint         style, types, import contract"
	@echo "make bench        benchmarks, as ratios against stated baselines"
	@echo "make lock         resolve requirements.lock again"

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "mammo-ray needs Python 3.11 to 3.13, found %d.%d; set PYTHON=" % v)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: $(STAMP)
	rm -rf demo-output
	$(BIN)/mammo demo --out demo-output

test: $(STAMP)
	$(BIN)/python -m pytest tests --ignore=tests/integration --ignore=tests/bench

integration: $(STAMP)
	$(BIN)/python -m pytest tests/integration

N ?= 200
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz -n $(N)
	$(BIN)/python -m tests.fuzz.bombs

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Beside the environment, so that tests and the package meet no decoder but those they declare.
$(BENCH): $(STAMP) tests/bench/requirements.txt
	rm -rf $(BENCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --target $(BENCH) -r tests/bench/requirements.txt
	touch $(BENCH)

bench: $(BENCH)
	PYTHONPATH=$(BENCH) $(BIN)/python -m tests.bench.decode
	PYTHONPATH=$(BENCH) $(BIN)/python -m tests.bench.prepare
	RAY_worker_niceness=0 $(BIN)/python -m tests.bench.pipeline
	$(BIN)/python -m tests.bench.manifest_scale

lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra test --extra jobs --universal \
	  --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -o requirements.lock --quiet

clean:
	rm -rf $(VENV) demo-output .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
