# The front door. `make demo` and `make test` need python3 (3.11 or newer), gcc and make; the rest is installed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

QUICK  := $(addprefix tests/,test_layout.py wire pipeline volume config fileset catalog transport director job storage)

# What runs in a Windows Python: rooms that are the same everywhere, and whole Jobs of exchange.dll.
EXCHANGE := test_restoring.py::test_a_chain_comes_back_as_it_was_at_each_of_its_jobs test_scenarios.py::test_a_cancel_is_obeyed_and_leaves_exchange_as_it_was
WINDOWS  := $(addprefix tests/,wire pipeline config fileset catalog process agents/test_pe.py agents/test_on_windows.py) \
            $(addprefix tests/volume/test_,source.py writer.py reader.py) $(addprefix tests/native_agents/exchange/,$(EXCHANGE))

.PHONY: demo test quick agents lint types check windows live bench clean peers

demo: $(VENV)/.ready agents            ## back up real trees, change them, restore both points in time
	$(BIN)/python tools/demo.py

test: lint types check                 ## everything but bench and windows

quick: lint types agents               ## for every edit: the rooms that need no peer, below two minutes
	$(BIN)/pytest -n 2 --dist loadfile -q $(QUICK)

check: $(VENV)/.ready peers agents
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -q

windows: $(VENV)/.ready peers agents   ## some rooms in a Windows Python under wine; docs/windows.md
	tools/windows-python $(BIN)/python .peers/windows-python
	$(BIN)/python -m tests.windows_libraries
	tools/windows-test .peers/windows-python .peers/wine -q $(WINDOWS)

agents: $(VENV)/.ready                 ## filed/_agents/*.so
	$(BIN)/python build.py

lint: $(VENV)/.ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: $(VENV)/.ready
	$(BIN)/mypy

live: $(VENV)/.ready peers agents  ## only the tests against Debian's Bacula
	$(BIN)/pytest -m live

bench: $(VENV)/.ready peers agents ## minutes; prints the tables of docs/benchmarks.md
	$(BIN)/python -m tests.bench

clean:
	rm -rf build dist filed.egg-info filed/_agents filed/_native filed/_sdk .mypy_cache .ruff_cache .pytest_cache .hypothesis

peers:                                 # asks only for what is not there
	tools/install-peers

# Made again when what it depends on changes, not at each call.
$(VENV)/.ready: pyproject.toml setup.py tools/make-venv
	tools/make-venv $(PYTHON) $(VENV)
	touch $@
