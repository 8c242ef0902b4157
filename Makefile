# Everything from nothing but Python 3.11+ and make. Targets: study, test, test-cluster, benchmarks, ui, clean.
PYTHON ?= python3
PIP_FLAGS ?=
EXTRAS ?= dev
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: study test test-cluster benchmarks ui venv clean

study: $(READY)
	$(BIN)/python studies/run_ablation.py

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist loadfile

# Hosts made of network namespaces and Ray's real launcher: own machines, one of which loses power; cluster.yaml against a mock EC2;
# clusters/slurm.sh with a real Slurm. A quarter of an hour and more; needs root, and says what it lacks.
test-cluster: EXTRAS = dev,cluster
test-cluster: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[$(EXTRAS)]'
	$(BIN)/python -m pytest tests/cluster -m cluster -s

# What docs/performance.md shows, measured on this machine; an hour of two cores, which should have nothing else to do.
benchmarks: $(READY)
	$(BIN)/python benchmarks/training_step.py results/training-step-cpu.csv --device cpu
	$(BIN)/python benchmarks/roofline.py results/roofline-cpu.csv --device cpu
	$(BIN)/python benchmarks/training_curve.py results/training-curve-cpu.csv --batch 16
	$(BIN)/python benchmarks/memory.py results/memory-cpu.csv
	$(BIN)/python benchmarks/reconstruction.py results/reconstruction-cpu.csv --device cpu
	$(BIN)/python benchmarks/convolutions.py results/convolutions-cpu.csv
	$(BIN)/python benchmarks/inference.py results/inference-cpu.csv --device cpu
	$(BIN)/python benchmarks/overhead.py results/overhead-1-step.csv --trials 40 --steps 1
	$(BIN)/python benchmarks/overhead.py results/overhead-300-steps.csv --trials 12 --steps 300
	$(BIN)/python benchmarks/packing.py results/packing-cpu.csv
	$(BIN)/python benchmarks/planning.py results/planning.csv
	$(BIN)/python benchmarks/tracking.py results/tracking.csv
	$(BIN)/python benchmarks/report.py results/report.csv
	$(BIN)/python benchmarks/growth.py results/growth.csv
	$(BIN)/python benchmarks/cold_start.py results/cold-start.csv
	$(BIN)/python benchmarks/page.py

# The tracker with one worker and no job runner: seconds to start, half a gigabyte. Plain `mlflow ui` works too.
ui: $(READY)
	@echo "Open http://127.0.0.1:5000 (Ctrl-C ends it)"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow server \
	  --workers 1 --host 127.0.0.1 --port 5000 \
	  --backend-store-uri sqlite:///$(CURDIR)/mlflow.db --default-artifact-root $(CURDIR)/mlruns

venv: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "rdun needs Python 3.11 or newer; $(PYTHON) is older. Choose one: make study PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $(READY)

clean:
	rm -rf $(VENV)
