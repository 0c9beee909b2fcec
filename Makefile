# Each target does what it needs first. PYTHON is the interpreter that the environment is built from (3.11 or later).
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes
# PySpark is built on this machine, from jars, which are compressed already: to compress them again takes a while.
PIP += --config-settings="--build-option=--compression=stored"
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.PHONY: env run docs check test test-faults coverage lint torch torch-if-any notebook sample pictures benchmark benchmark-contract \
	benchmark-quality benchmark-experiments benchmark-multiclass benchmark-served benchmark-decision benchmark-monitoring benchmark-serving \
	benchmark-small benchmark-intervals benchmark-scale benchmark-larger-logs lock

env: .venv/.complete

# Python compiles the modules that are used when it first imports them: a few of the thousands there are.
.venv/.complete: requirements.lock
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.lock
	touch $@

# JupyterLab is a third of all packages, and nothing else needs it.
.venv/.notebook: .venv/.complete requirements-notebook.lock
	$(PIP) -r requirements-notebook.lock
	touch $@

# PyTorch, for the algorithm neural_network: the CPU build, which is far smaller, where the package index has one.
torch: .venv/.torch

.venv/.torch: .venv/.complete requirements-torch-cpu.lock requirements-torch.lock
	$(PIP) -r requirements-torch-cpu.lock || $(PIP) -r requirements-torch.lock
	touch $@

# Only the benchmark of scale needs these.
.venv/.benchmark: .venv/.complete requirements-benchmark.lock
	$(PIP) -r requirements-benchmark.lock
	touch $@

run: env
	$(BIN)/kedro run

# The inner loop: lint, types, and the tests that start no Spark.
check: env lint
	$(PYTEST) -m "not spark and not end_to_end and not faults"

# The tests of the neural network are skipped where there is no CPU build of PyTorch.
test: env
	$(MAKE) --no-print-directory --jobs=2 lint torch-if-any
	$(PYTEST) -m "not faults"

torch-if-any: env
	@test -e .venv/.torch || ($(PIP) -r requirements-torch-cpu.lock && touch .venv/.torch) || echo "without PyTorch"

# The tests that take minutes: runs killed in the save of every dataset, two runs at once, logs too small to train on (a
# whole file, because docs/bad-input.md is compared with all cases), logs of other services up to the report, notebooks
# that sample and train, the tutorial and the how-to pages, the release's archives, commands in processes of their own,
# further cases of a kind that make test shows with one, and properties with ten times as many random examples.
test-faults: env
	$(PYTEST) tests/end_to_end/test_bad_input.py
	$(PYTEST) -m "faults and not examples" --ignore=tests/end_to_end/test_bad_input.py
	$(PYTEST) --hypothesis-profile=thorough -m examples

# The documentation site, in docs/_build/html. A broken link or reference fails it.
docs: env
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "The site: docs/_build/html/index.html"

coverage: env
	$(PYTEST) -m "not faults" --cov --cov-report=term

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-cache

# JupyterLab in the folder of the notebooks, with Kedro's kernel. As root: make notebook OPTIONS=--allow-root
notebook: .venv/.notebook
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/kedro jupyter lab $(OPTIONS) notebooks

# The bundled sample log, byte for byte.
sample: env
	$(BIN)/kedro run --pipelines=simulation --params=simulation.files=1,simulated_events=data/01_raw/sample_events.json.gz

# The pictures of the README and the docs, from the newest run (needs chromium).
pictures: env
	$(BIN)/python docs/make_pictures.py

benchmark: env
	$(BIN)/python benchmarks/run_benchmarks.py

# The cost of the contract of a log, beside columns and types alone.
benchmark-contract: env
	PYTHONPATH=src $(BIN)/python benchmarks/ingestion_contract.py

# Three logs of 4,000 users: half an hour and more on two idle cores.
benchmark-quality: env
	PYTHONPATH=src $(BIN)/python benchmarks/forecast_quality.py

# All experiments on three logs of 4,000 users: hours on two cores.
benchmark-experiments: env
	PYTHONPATH=src $(BIN)/python benchmarks/experiments.py

# One model of three classes against three binary models on three logs of 4,000 users: half an hour on two idle cores.
benchmark-multiclass: env
	PYTHONPATH=src $(BIN)/python benchmarks/multiclass.py

# Twenty times: the cancellations that followed a date, beside the sum of the probabilities served then.
benchmark-served: env
	PYTHONPATH=src $(BIN)/python benchmarks/served_probabilities.py

# Ten logs of 225 users, and logs without types of users: the extended features beside the configuration.
benchmark-small: env
	PYTHONPATH=src $(BIN)/python benchmarks/small_logs.py

# How often the 95 % intervals of the scores contain the truth.
benchmark-intervals: env
	PYTHONPATH=src $(BIN)/python benchmarks/interval_coverage.py

# Time and memory of logs of 225, 2,250 and 22,000 users (Linux; hours, and 40 GB of disk): USERS="225 2250" for a part.
benchmark-scale: .venv/.benchmark
	PYTHONPATH=src $(BIN)/python benchmarks/scale.py $(if $(USERS),--users $(USERS))

# One champion, and logs of other users: an hour on two idle cores.
benchmark-decision: env
	PYTHONPATH=src $(BIN)/python benchmarks/decision_coverage.py

# Alarms of monitoring where cancellations become twice as likely, and where they do not; half an hour on two idle cores.
benchmark-monitoring: env
	PYTHONPATH=src $(BIN)/python benchmarks/forecasts_watched.py

# The server: its start, its latency, and clients that ask while runs land; seven minutes on two idle cores.
benchmark-serving: env
	PYTHONPATH=src $(BIN)/python benchmarks/serving.py

# What larger logs would take, from what benchmark-scale has measured.
benchmark-larger-logs: env
	PYTHONPATH=src $(BIN)/python benchmarks/larger_logs.py

# The pinned versions, after a change of the dependencies in pyproject.toml (needs uv on the path).
LOCK_ANY := uv pip compile --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header
LOCK := $(LOCK_ANY) --extra test --extra mlflow --extra connect --extra s3 --extra serve --extra docs pyproject.toml
# Of PyTorch alone, beside the others: its CPU builds are in TORCH_CPU, a folder of wheels or the address of such a page.
LOCK_TORCH := echo "torch==2.13.0 safetensors" | tr ' ' '\n' | $(LOCK_ANY) --constraint requirements.lock -
LOCK_TORCH_CPU := echo "torch==2.13.0+cpu safetensors" | tr ' ' '\n' | \
	$(LOCK_ANY) --constraint requirements.lock --find-links "$(TORCH_CPU)" -
lock:
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra notebook --constraint requirements.lock --output-file requirements-notebook.lock
	$(LOCK) --extra benchmark --constraint requirements.lock --output-file requirements-benchmark.lock
	$(LOCK_TORCH) --output-file requirements-torch.lock
	$(LOCK_TORCH_CPU) --output-file requirements-torch-cpu.lock
