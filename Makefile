# make env    the environment in .venv, from requirements.lock
# make run    start the service as shipped, with sample messages, and show what became of each
# make check  format, lint, types, import directions, generated files fresh
# make test   everything under tests/; as root on Debian it first installs the servers that tests start
# make bench  measure beside peers (as root on Debian it first installs them); CORPUS=DIR adds a directory of messages
# make lock   resolve requirements.lock anew

PYTHON ?= python3
BIN := .venv/bin
CORPUS ?= tests/messages
WORKERS ?= auto

.PHONY: env run check test bench lock generated

env: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/install-servers python3-venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

run: env
	@deploy/demo.sh

check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m postroom.reference --check .

generated: env
	$(BIN)/python -m postroom.reference --write .

test: env
	@tests/install-servers postgresql redis-server strace dovecot-imapd dovecot-pop3d dovecot-lmtpd \
	  dovecot-submissiond postfix libmail-dkim-perl rspamd spamd clamav-daemon
	$(BIN)/pytest -n $(WORKERS)

bench: env
	@tests/install-servers dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sieve fetchmail getmail6 procmail \
	  redis-server postgresql openssl
	$(BIN)/python benchmarks/message.py --corpus $(CORPUS)
	$(BIN)/python benchmarks/rules.py
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/filter.py
	$(BIN)/python benchmarks/forward.py
	$(BIN)/python benchmarks/lmtp.py
	$(BIN)/python benchmarks/deliver.py
	$(BIN)/python benchmarks/drain.py --protocol imap --queue redis
	$(BIN)/python benchmarks/drain.py --protocol pop3
	$(BIN)/python benchmarks/watching.py

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra notify --extra postgresql --group dev --group bench pyproject.toml -o requirements.lock
