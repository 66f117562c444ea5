# Everything happens in .venv, which is made where it is missing. Needs Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Tests that start real processes mostly wait for them: one worker more than there are cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

# The demo and the tests start dozens of Python processes: where the environment forbids to keep what was compiled, each
# of them would compile every module again. (Set to nothing is unset, for Python.)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: venv demo test story lint bench torture advisories lock

venv: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ashat needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: venv
	@$(BIN)/ashat demo

test: venv
	@tests/needs.sh
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

story: venv
	@$(BIN)/python -m demo.story

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: venv
	$(BIN)/python -m benchmarks

torture: venv
	@$(BIN)/python -m benchmarks.torture

# Known vulnerabilities of what the lock file pins; asks the OSV database.
advisories: venv
	$(BIN)/uv tool run pip-audit --disable-pip --require-hashes -r requirements.lock --progress-spinner off -s osv $(if $(OSV_URL),--osv-url $(OSV_URL))

lock: venv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 pyproject.toml --group dev -o requirements.lock
