# `make run` and `make test` need Python 3.11 or newer and nothing else. All paths are relative, so that the checkout
# may lie anywhere, spaces included.

PYTHON ?= $(shell if python3.11 -c '' 2>/dev/null; then echo python3.11; else echo python3; fi)
UV ?= uv
ARGS ?=
venv := .venv/bin/python
installed := .venv/installed
clients := tests/conformance/node_modules/installed
watched := tests/browser/node_modules/installed
own_client := clients/typescript/node_modules/installed
judges := tests/judges/node_modules/installed
parts := build/parts/installed

# Where a machine's image forbids to write bytecode, every process would compile everything again, the tests' hundreds too.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run explorer test check bench house soak upgrade conformance clients connectors browser lock install audit-deps pythons

# Fetches the explorer beside it where npm is there; a start waits for nothing of that, and doesn't fail by it.
run: install
	@$(venv) -m earnest up --fetch-explorer $(ARGS)

# GraphiQL from npm, checked by its hashes, for browsers at /graphql.
explorer: install
	@$(venv) -m earnest explorer

# A process more than there are cores, since each waits for engines of its own; `make test ARGS="-n 0 tests/escrow"` takes one.
test: install
	@$(venv) -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist loadfile $(ARGS)

check: install
	@$(venv) -m ruff check .
	@$(venv) -m ruff format --check .
	@$(venv) -m mypy
	@$(venv) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	@$(venv) -m earnest schema --check
	@$(venv) -m earnest events --check

bench: install
	@$(venv) -m tests.benchmarks $(ARGS)

# The size and the names of the source, beside their goals.
house: install
	@$(venv) -m tests.house

# A whole deployment under load, killed all the time: `ARGS="--commands 1000000"`; or `ARGS=connectors`, or `ARGS="orders --orders 1000"`.
soak: install
	@$(venv) -m tests.soak $(ARGS)

# All tests of the former release, by its own code, on the tables that this one's part before makes, but for those that
# `LEFT_OUT` of tests/upgrade/former.py names with the reason; `ARGS="tests/api"` for some.
upgrade: install
	@EARNEST_FORMER_TESTS="$(or $(ARGS),tests/api tests/escrow tests/journeys tests/schema tests/webhooks tests/workers)" $(venv) -m pytest -n 0 -s tests/upgrade

# The field's own clients and audits; this needs Node 20 or newer and npm too.
conformance: install $(clients) $(own_client)
	@$(venv) -m pytest tests/conformance $(ARGS)

# Our own clients alone: built, packed, installed and run. `EARNEST_KILLS=500 make clients ARGS="-s -k killed"` is the long run.
clients: install $(clients) $(own_client)
	@$(venv) -m pytest tests/conformance/own $(ARGS)

$(own_client): clients/typescript/package-lock.json $(clients)
	@cd clients/typescript && npm ci --silent --no-audit --no-fund
	@touch $(own_client)

# Connectors against the tools themselves and their own descriptions; this needs Node's npm too, for GitHub's.
connectors: install $(judges)
	@$(venv) -m pytest tests/judges $(ARGS)

$(judges): tests/judges/package-lock.json tests/judges/requirements.lock
	@npm --version >/dev/null 2>&1 || { echo "make connectors needs npm (https://nodejs.org), for GitHub's schema." >&2; exit 1; }
	@echo "Installing the tools that connectors are tested with into tests/judges ..."
	@cd tests/judges && npm ci --silent --no-audit --no-fund
	@"$(PYTHON)" -m venv --clear tests/judges/.venv
	@tests/judges/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/judges/requirements.lock
	@touch $(judges)

# npm's packages, and what can't live in .venv, as their locks name them. The stamp is written last.
$(clients): tests/conformance/package-lock.json tests/conformance/requirements.lock
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null && npm --version >/dev/null 2>&1 || \
		{ echo "make conformance needs Node 20 or newer and npm (https://nodejs.org), for clients that come from npm." >&2; exit 1; }
	@echo "Installing the clients of the field into tests/conformance ..."
	@cd tests/conformance && npm ci --silent --no-audit --no-fund
	@"$(PYTHON)" -m venv --clear tests/conformance/.venv
	@tests/conformance/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/conformance/requirements.lock
	@touch $(clients)

# The pages in a real browser, which has to be there: Debian's chromium, or the one that EARNEST_CHROMIUM names.
# `EARNEST_KILLS=50 make browser ARGS="-s -k killed"` kills the web process as often under pages that follow what happens.
browser: install explorer $(watched)
	@$(venv) -m pytest tests/browser $(ARGS)

# What drives the browser goes into .venv beside the rest, by a lock of its own: who only runs Earnest needs none of it.
$(watched): $(installed) tests/browser/package-lock.json tests/browser/requirements.lock
	@npm --version >/dev/null 2>&1 || { echo "make browser needs npm (https://nodejs.org), for the audit that comes from there." >&2; exit 1; }
	@echo "Installing what drives and audits a browser into .venv and tests/browser ..."
	@$(venv) -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/browser/requirements.lock
	@cd tests/browser && npm ci --silent --no-audit --no-fund
	@touch $(watched)

# Users need only pip; this needs uv. `--universal` makes one lock for every platform from Python 3.11 on.
lock:
	@$(UV) pip compile --universal --python-version 3.11 --generate-hashes --all-extras --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" $(ARGS) pyproject.toml --output-file requirements.lock
	@$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" $(ARGS) --constraints requirements.lock pyproject.toml ops/build.in --output-file ops/requirements.lock
	@for folder in tests/conformance tests/judges tests/parts; do (cd $$folder && $(UV) pip compile --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS) \
		requirements.in --output-file requirements.lock) || exit 1; done
	@cd tests/browser && $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" $(ARGS) --constraints ../../requirements.lock \
		requirements.in --output-file requirements.lock

# Known vulnerabilities, licences and a bill of materials of what the locks name: 1 if something is wrong, 3 if nobody could be asked.
audit-deps: install $(parts)
	@$(venv) -m tests.parts build/parts $(ARGS)

$(parts): tests/parts/requirements.lock
	@echo "Installing what tells of packages into build/parts ..."
	@"$(PYTHON)" -m venv --clear build/parts
	@build/parts/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/parts/requirements.lock
	@touch $(parts)

# The tests on every other Python that is here, each in an environment of its own: `make pythons ARGS="3.13 -- tests/escrow"`.
pythons:
	@"$(PYTHON)" -m tests.pythons $(ARGS)

install: $(installed)

# The hashes cover everything that is downloaded; the project itself is built without isolation by a backend that is
# in the lock too. The stamp is written last: an interrupted installation is done again.
$(installed): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Earnest needs Python 3.11 or newer, but \"$(PYTHON)\" is not. Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(venv) -c '' 2>/dev/null || { echo "Making .venv with $(PYTHON) ..." && "$(PYTHON)" -m venv --clear .venv; } || \
		{ echo "\"$(PYTHON) -m venv .venv\" failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Downloading $$(grep -c '==' requirements.lock) packages, each checked by its hash in requirements.lock, into .venv: PostgreSQL and Redis"
	@echo "among them, and nothing outside of this folder. A minute or two; again only when the list changed ..."
	@$(venv) earnest/run/installing.py requirements.lock
	@$(venv) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(installed)
	@echo "Installed."
