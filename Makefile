# Each target does what it needs first. PYTHON is the interpreter that the environment is built from (3.11 or later).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: env run test test-faults lint notebook sample pictures benchmark benchmark-contract benchmark-quality lock

env: .venv/.complete

.venv/.complete: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

run: env
	$(BIN)/kedro run

test: env lint
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# All that `make test` leaves out because it takes minutes: runs killed in the save of every dataset on the way to a
# champion, whole runs on logs from which little can be learned.
test-faults: env
	SPARKIFY_ALL_FAULTS=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile \
		tests/end_to_end/test_bad_input.py tests/end_to_end/test_crashes.py

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=src $(BIN)/lint-imports

# JupyterLab in the folder of the notebooks, with Kedro's kernel. As root: make notebook OPTIONS=--allow-root
notebook: env
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/kedro jupyter lab $(OPTIONS) notebooks

# The bundled sample log again, byte for byte.
sample: env
	$(BIN)/kedro run --pipelines=simulation --params=simulation.files=1,simulated_events=data/01_raw/sample_events.json.gz

# The README's pictures again, from the newest run (needs chromium).
pictures: env
	$(BIN)/python docs/make_pictures.py

benchmark: env
	$(BIN)/python benchmarks/run_benchmarks.py

# What ingestion's contract costs, beside columns and types alone.
benchmark-contract: env
	PYTHONPATH=src $(BIN)/python benchmarks/ingestion_contract.py

# Three logs of 4 000 users: half an hour and more on two cores that have nothing else to do.
benchmark-quality: env
	PYTHONPATH=src $(BIN)/python benchmarks/forecast_quality.py

# The pinned versions again, after a change of the dependencies in pyproject.toml (needs uv on the path).
lock:
	uv pip compile --universal --python-version 3.11 --extra test --extra notebook --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml --output-file requirements.lock
