# The commands of this project. They need Python 3.11 or newer and make, nothing else:
#   make demo     reads one file through four services and prints what that took
#   make test     runs the tests that are not slow: what to run between two edits
#   make test-all runs the slow tests as well, with branch coverage
#   make test-rest             runs the slow tests alone; with PART=0/3, a third of those that repeat what others do
#   make test-gate             checks the coverage of all test runs with COV=1, as CI makes them
#   make test-pure             runs the tests of HTTP over aiohttp, without its C extension
#   make test-aiohttp          runs the tests of HTTP over aiohttp, which is not the default
#   make test-uvloop           runs the tests of event loops, HTTP and services on uvloop
#   make test-consumers        runs pandas, Dask, polars, DuckDB, torch and others over entrepot, and all blocks of the
#                              pages; and redis with the parser in C, which redis-py uses where it is installed
#   make test-migrate          runs the examples of docs/how-to/migrate.md in the other libraries and in entrepot
#   make check    adds lint, types, import rules, and the files of .github
#   make behavior SERVICE=s3   runs the behaviour suite on a store of yours (docs/behavior-suite.md)
#   make behavior-all          runs it on every server that we know how to start
#   make integration-all       runs the tests of S3 that Ceph's gateway can pass on that too, and starts more servers
#   make servers  installs the servers that pip cannot: Debian's packages (as root), and one of npm
#   make soak     runs the tests that take minutes
#   make bench    measures entrepot beside its peers: more than an hour (docs/performance.md)
#   make bench-quick           measures a short part of that, in about a minute
#   make bench-services        measures each service beside its peers, in some minutes (`make servers` adds servers)
#   make new-service NAME=duck   makes the folder of a new service (docs/write-your-own-service.md)
#   make docs     builds the documentation as web pages into site/
#   make release-check         builds wheel and sdist, and tries each in an empty environment (docs/releasing.md)
#   make clean    removes everything that the other commands made
#
# `make test PYTHON=python3.13` and the like use another interpreter, with an environment of its own (.venv-python3.13).

PYTHON ?= python3
JOBS ?= 2

# The default interpreter has the plain name. Another one has an environment with its name in it: /usr/bin/python3.13 and
# python3.13 share one.
venv := .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
bin := $(venv)/bin
peers := .venv-bench
migrate := .venv-migrate
install := -m pip install --quiet --quiet --disable-pip-version-check --editable

pytest := $(bin)/python -m pytest --numprocesses=$(JOBS)
coverage := --cov --cov-report=term-missing:skip-covered --cov-fail-under=0
appended := --cov --cov-append --cov-report= --cov-fail-under=0
shipped := not servers and not soak

.PHONY: demo test test-all test-rest test-gate test-pure test-aiohttp quick check behavior behavior-all integration-all soak bench bench-quick bench-services new-service docs clean
.DELETE_ON_ERROR:

demo: $(venv)/installed-demo
	$(bin)/python examples/quickstart.py $(ARGS)

test: $(venv)/installed-test
	$(pytest) $(if $(COV),--cov --cov-report= --cov-fail-under=0) -m "not slow and $(shipped)" $(ARGS)

test-all: $(venv)/installed-test
	$(pytest) $(coverage) -m "$(shipped)" $(ARGS)

test-rest: $(venv)/installed-test
	$(if $(PART),ENTREPOT_TEST_PART=$(PART)) $(pytest) $(if $(COV),$(appended)) -m "slow and $(shipped)" $(ARGS)

# The gate over all that ran with COV=1.
test-gate:
	$(bin)/coverage report --skip-covered

# A part that differs most between releases of Python: values, event loops, the blocking API.
quick: $(venv)/installed-test
	$(pytest) -m "not slow and $(shipped)" tests/types tests/raw tests/layers tests/blocking $(ARGS)

test-pure: $(venv)/installed-test
	AIOHTTP_NO_EXTENSIONS=1 ENTREPOT_TEST_TRANSPORT=aiohttp $(pytest) $(if $(COV),$(appended)) -m "$(shipped)" \
		tests/raw/http tests/integration/test_misbehaving_http.py $(ARGS)

test-aiohttp: $(venv)/installed-test
	ENTREPOT_TEST_TRANSPORT=aiohttp $(pytest) -m "$(shipped)" \
		tests/raw/http tests/integration tests/reliability tests/services/http tests/services/s3 $(ARGS)

check: $(venv)/installed-dev
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/basedpyright --project tests/typing --pythonpath $(bin)/python
	$(bin)/lint-imports --no-cache
	$(bin)/zizmor --offline --quiet .github
	$(bin)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(bin)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

behavior: $(venv)/installed-test
	@test -n "$(SERVICE)" || { echo "say which: make behavior SERVICE=s3 (docs/behavior-suite.md)"; exit 1; }
	ENTREPOT_TEST=$(SERVICE) $(bin)/python -m pytest tests/behavior/test_real_store.py $(ARGS)

behavior-all: $(venv)/installed-test $(venv)/installed-servers
	$(bin)/python -m pytest -m "not soak" tests/behavior/test_suite.py $(ARGS)

integration-all: $(venv)/installed-test $(venv)/installed-servers
	$(bin)/python -m pytest -m "servers and not soak" tests/integration tests/testing $(ARGS)

# The tests of HTTP over the transport on blocking sockets, which they await in threads.
.PHONY: test-blocking
test-blocking: $(venv)/installed-test
	ENTREPOT_TEST_TRANSPORT=blocking $(pytest) $(if $(COV),$(appended)) -m "$(shipped)" \
		tests/raw/http tests/integration/test_misbehaving_http.py tests/services/http $(ARGS)

# The coroutines among the tests; what starts a loop itself chooses it. One test looks into asyncio's own transports.
.PHONY: test-uvloop
test-uvloop: $(venv)/installed-test
	ENTREPOT_TEST_LOOP=uvloop $(pytest) -m "not slow and $(shipped)" \
		--deselect tests/raw/http/test_aiohttp.py::test_as_much_is_received_at_once_as_a_reply_shows_to_have \
		tests/raw tests/layers tests/integration tests/services $(ARGS)

.PHONY: test-consumers
test-consumers: $(venv)/installed-test $(venv)/installed-consumers
	ENTREPOT_TEST_ALL_BLOCKS=needs $(pytest) -m "$(shipped)" \
		tests/integrations tests/integration/test_file_consumers.py tests/docs/test_blocks.py tests/services/redis \
		$(ARGS)

# An environment of its own: aioboto3 and s3fs pin releases of botocore.
.PHONY: test-migrate
test-migrate: $(migrate)/installed
	ENTREPOT_TEST_ALL_BLOCKS=theirs $(migrate)/bin/python -m tests.docs.run_page docs/how-to/migrate.md

# Without them their tests are skipped; with ENTREPOT_TEST_ALL_SERVERS=1 they fail.
.PHONY: servers
servers: | $(bin)/python
	apt-get update --quiet --quiet || echo "the lists of packages are those of before"
	apt-get install --yes --quiet --no-install-recommends apache2-bin etcd-server openssh-server postgresql vsftpd
	npm install --silent --no-fund --prefix $(venv)/npm azurite@3.35.0

soak: $(venv)/installed-test
	$(bin)/python -m pytest -m soak --timeout=1800 $(ARGS)

bench: $(peers)/installed
	$(peers)/bin/python -m benchmarks $(ARGS)

bench-quick: $(peers)/installed
	$(peers)/bin/python -m benchmarks --quick $(ARGS)

bench-services: $(venv)/installed-test $(venv)/installed-peers
	$(bin)/python -m benchmarks.services $(ARGS)

new-service: $(venv)/installed-test
	@$(bin)/python tools/new_service.py $(NAME)

docs: $(venv)/installed-docs
	$(bin)/python tools/site_pages.py
	NO_MKDOCS_2_WARNING=1 $(bin)/python -m mkdocs build --strict
	@! grep -rlE '<(script|img|link|iframe)[^>]* (src|href)="(https?:)?//' site --include='*.html' \
		|| { echo "these pages load something from another host"; exit 1; }

.PHONY: release-check
release-check: $(venv)/installed-release
	$(bin)/python tools/release_check.py $(ARGS)

# An extra is installed again only when pyproject.toml changed.
$(venv)/installed-%: pyproject.toml | $(bin)/python
	$(bin)/python $(install) ".[$*]"
	touch $@

# The peers have an environment of their own: some pin what the tests use in other versions.
$(peers)/installed: pyproject.toml | $(peers)/bin/python
	$(peers)/bin/python $(install) ".[bench]"
	touch $@

$(migrate)/installed: pyproject.toml | $(migrate)/bin/python
	$(migrate)/bin/python $(install) ".[migrate]"
	touch $@

.PRECIOUS: %/bin/python
%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "entrepot needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $*

clean:
	rm -rf .venv .venv-* $(peers) dist build site htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache
