# What contributors and CI call.  README documents demo and test; CONTRIBUTING the rest.
# Every target makes its own environment; nothing needs to be installed by hand but Python >= 3.11 (and Go for livekit-server).

PYTHON ?= $(shell for v in 3.11 3.12 3.13 3; do p=$$(command -v python$$v 2>/dev/null) && $$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 60
ONLY ?=
THREE := -n 3 --dist worksteal

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test rtc web pictures check bench attacks fuzz soak luck nightly test-all ci-deps env coverage mutants conformance native bench-page generate compare-protocol watch smoke-genesis lock news clean

env: $(VENV)/.ready

# The native extensions are compiled as part of the installation.
NATIVE := $(wildcard dcl_comms_core/codec/_native/*.[ch] drivers/dcl_comms_drivers/livekit/_native/*.[ch]) dcl_comms_core/proto/_gen/tables.py

$(VENV)/.ready: pyproject.toml .ci/make-env $(wildcard .ci/locks/dev-*) $(NATIVE)
	@.ci/make-env "$(PYTHON)" $(VENV) dev
	@touch $@

demo: env
	@# Its LiveKit rooms are those of a server that is there; else one of our own is built, else livekit-server.
	@$(BIN)/python -c 'import sys; from dcl_comms_station.hosting import has_real_rooms; sys.exit(not has_real_rooms())' || \
	  .ci/rtc build $(VENV) --where-cargo-is
	@$(BIN)/dcl-comms demo --build

test: env
	@# Without it the tests that need it skip with the reason, or fail where REQUIRE_LIVEKIT=1.
	@$(BIN)/python -m dcl_comms_drivers.realm.livekit_binary || true
	@.ci/rtc build $(VENV) --where-cargo-is
ifeq ($(CI),true)
	$(MAKE) --no-print-directory coverage
else
	$(BIN)/python -m pytest -q tests/core
endif
	@# These wait more than they work: three at a time, each with a livekit-server of its own.
	$(BIN)/python -m pytest -q $(THREE) tests/drivers tests/station tests/repo tests/interop

# The WebRTC engine, drivers/rtc: compiled with cargo, installed into the same environment.
rtc: env
	@.ci/rtc build $(VENV)

# The Station's page: station/web into the files that the package serves.  WATCH=1: again at each change.
web: env
	@$(BIN)/python .ci/tools/web.py $(if $(WATCH),watch,build)

# The pictures of docs/station.md.
pictures: env
	@$(BIN)/python .ci/tools/station_pictures.py

check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	@# Programs of users, and what they get wrong; programs in pages.
	$(BIN)/mypy tests/typing examples/*.py examples/*/*.py
	$(BIN)/basedpyright -p tests/typing
	$(BIN)/python .ci/tools/page_programs.py
	$(BIN)/python .ci/tools/gen_proto.py --check
	$(BIN)/python .ci/tools/conformance.py --check
	$(BIN)/python .ci/tools/limits_page.py --check
	$(BIN)/python .ci/tools/events_page.py --check
	$(BIN)/python .ci/tools/settings_page.py --check
	$(BIN)/python .ci/tools/event_schema.py --check
	$(BIN)/python .ci/tools/recording_schemas.py --check
	$(BIN)/python .ci/tools/states_page.py --check
	$(BIN)/python .ci/tools/packets_page.py --check
	$(BIN)/python .ci/tools/structure.py --check
	$(BIN)/python .ci/tools/private_names.py
	$(BIN)/python .ci/tools/web.py check
	@.ci/rtc check $(VENV) --where-cargo-is

native: env
	$(BIN)/python dcl_comms_core/codec/_native/build.py

generate: env
	$(BIN)/python .ci/tools/gen_proto.py

compare-protocol: env
	$(BIN)/python .ci/tools/compare_protocol.py
	$(BIN)/python .ci/tools/compare_foxglove.py
	$(BIN)/python .ci/tools/compare_livekit.py

# Takes the newest packages that pyproject.toml allows into .ci/locks: look at the difference before it is committed.
lock: env
	@$(BIN)/python .ci/tools/lock.py

watch: env
	@$(BIN)/python .ci/tools/watch.py

# With the internet: a guest in Genesis City's environment for trials, on Pulse and on an island.
smoke-genesis: env
	@$(BIN)/python .ci/tools/smoke_genesis.py

coverage: env
	$(BIN)/coverage run -m pytest -q tests/core
	$(BIN)/coverage report --fail-under=100

# What else the benchmarks compare with, in the same environment.
$(VENV)/.bench: $(VENV)/.ready
	@.ci/make-env "$(PYTHON)" $(VENV) bench
	@touch $@

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py $(ONLY)

# What a release writes, in the same environment.
$(VENV)/.news: $(VENV)/.ready
	@.ci/make-env "$(PYTHON)" $(VENV) news
	@touch $@

# Shows what CHANGES.md will say; with VERSION=... writes it and takes the fragments away.
news: $(VENV)/.news
	@$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)

bench-page: env
	$(BIN)/python .ci/tools/performance_page.py

fuzz: env
	$(BIN)/python fuzz/run.py --seconds $(SECONDS)
	$(BIN)/python fuzz/rooms.py --seeds 300
	$(BIN)/python fuzz/enet.py --seeds 100
	$(BIN)/python fuzz/pulse.py --seeds 150
	$(BIN)/python fuzz/worlds/run.py --seeds 150
	$(BIN)/python fuzz/webrtc/play.py --seeds 150

# Three seconds for each, unless SECONDS says otherwise.
attacks: env
	$(BIN)/python fuzz/attacks.py $(if $(filter-out file default,$(origin SECONDS)),--seconds $(SECONDS)) $(if $(ONLY),--only "$(ONLY)")

mutants: env
	$(BIN)/python fuzz/mutants.py

conformance: env
	$(BIN)/python .ci/tools/conformance.py

# An hour, unless SECONDS says otherwise.
soak: env
	$(BIN)/python benchmarks/soak.py $(if $(filter-out file default,$(origin SECONDS)),--seconds $(SECONDS))

# Ten minutes of it, unless SECONDS says otherwise; the next call goes on.
luck: env
	$(BIN)/python .ci/tools/luck.py $(if $(filter-out file default,$(origin SECONDS)),--seconds $(SECONDS))

nightly: env
	@.ci/nightly

test-all:
	@.ci/test-all

ci-deps:
	@.ci/ci-deps

clean:
	rm -rf $(VENV) .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
