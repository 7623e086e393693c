# envoy-autocert. `make help` says what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

target := $(or $(CARGO_TARGET_DIR),target)
fetch := tests/tools
# What is shipped and measured; everything else that is native has one profile, whose dependencies are built once.
# That selects the whole workspace, so that they have the same features whatever is built.
release := --release --locked
quick := --profile quick --locked
tests := $(quick) --workspace
# What is tested is compiled by clippy, and its documentation built beside it: warnings are errors.
checked := RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/tests/checked.sh cargo
pure-wasm := $(quick) --target wasm32-unknown-unknown --package acme --package config --package engine --package protocol \
	--package yaml
# End-to-end tests at once: they wait for each other's servers more than they work.
threads := $(or $(THREADS),6)
# Of the tests with other ACME servers, those that need no further server and take seconds.
quick-cas := $(addprefix caddy::,http_01 tls_alpn_01 dns_01 its_accounts_lost a_name_whose_dns_comes_late)
# The plugin's bytes depend on its version, which the build says: the same one makes the same plugin again.
# What Rust's compiler emits for the target is what Envoy's V8 takes; no more is enabled.
wasm-features := --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
	--enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext
# Small is fast: V8's optimising compiler takes the whole module at load (and inlines what it can: indirect.awk). The
# flows' state machines stay cut where Rust cut them, since one huge function takes longer than its parts. Below address
# 1024 is nothing but the stack's end.
wasm-size := -Oz --one-caller-inline-max-function-size=200 --const-hoisting --low-memory-unused
# Rust's own library is built with the plugin: for size, and with panics that trap without a text, which no input can cause.
# That makes the plugin an eighth smaller. Cargo has these options in every version, but not yet for everybody: the first
# variable says that we know. `make plugin build-std= small-std=` does without: a plugin that tells where it panicked, and
# is too large for the test of its size.
mangling := -C symbol-mangling-version=v0
small-std := RUSTC_BOOTSTRAP=1 CARGO_PROFILE_WASM_PANIC=immediate-abort \
	CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$(mangling) -Z location-detail=none"
build-std := -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size -Z panic-immediate-abort
# The plugin as the compiler leaves it, with the names of its functions: what is trimmed goes by them.
full-plugin := $(target)/wasm32-wasip1/wasm/envoy_autocert.wasm

# Reloading, traps, callouts, SDS, limits, what is rendered; the examples of that in the repository are for the newest.
version-matters := issuance:: reload:: render:: renewal:: run:: sds:: slow:: takeover:: tls_alpn:: trap::

help: ## Print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  ENVOY=, ENVOY_1_36= … ENVOY_1_39=, PEBBLE=, CHALLTESTSRV=, WASM_OPT=, WRK=, LEGO=, CADDY=, CERTBOT=, BIND=,'
	@echo '  KNOT=, POWERDNS=, CARGO_DENY= name binaries to use instead of fetching them.'
	@echo '  KEEP=1 make demo leaves everything running until Ctrl-C. WEB_PORT=, WEBSECURE_PORT= choose its ports.'

build: plugin ## Build target/envoy_autocert.wasm and target/release/envoy-autocert
	cargo build $(release) --package envoy-autocert

plugin: ## Build target/envoy_autocert.wasm
	@$(fetch)/wasm-targets.sh
	@$(if $(build-std),$(fetch)/rust-src.sh)
	$(or $(small-std),CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$(mangling)") \
		cargo rustc --locked --package plugin --lib --target wasm32-wasip1 --profile wasm $(build-std) -- -C strip=debuginfo
	@$(fetch)/wasm-opt.sh
	@$(or $(WASM_OPT),.tools/bin/wasm-opt) --version
	@$(or $(WASM_OPT),.tools/bin/wasm-opt) $(wasm-features) --strip-producers -S -g $(full-plugin) -o - | \
		awk -f src/plugin/trim.awk >$(full-plugin).wat
	@$(or $(WASM_OPT),.tools/bin/wasm-opt) $(wasm-features) $(wasm-size) --strip-producers -S -g $(full-plugin).wat \
		-o $(full-plugin).small.wat
	@awk -f src/plugin/indirect.awk $(full-plugin).small.wat $(full-plugin).small.wat >$(full-plugin).wat
	@$(or $(WASM_OPT),.tools/bin/wasm-opt) $(wasm-features) --strip-debug $(full-plugin).wat \
		-o $(target)/envoy_autocert.wasm.part
	@rm $(full-plugin).wat $(full-plugin).small.wat
	@mv $(target)/envoy_autocert.wasm.part $(target)/envoy_autocert.wasm

# A first look should not take a minute longer for a plugin that is a tenth smaller.
demo: small-std :=
demo: build-std :=
demo: servers plugin ## Get certificates from a test CA with a real Envoy, and show them
	cargo build $(tests) --bin envoy-autocert --bin demo
	@$(target)/quick/demo

test: format licences ## Everything that .ci/run checks, clippy and the documentation too
	tests/beside.sh "purity compile" "plugin wasm-runner"
	tests/beside.sh "--assume-old=plugin unit e2e" "wasm simulation"

format: ## Check the formatting
	cargo fmt --all -- --check

lint: ## Run clippy alone; warnings are errors
	cargo clippy $(tests) --all-targets -- --deny warnings
	cargo clippy $(tests) --test e2e --test cas -- --deny warnings

licences: ## Check licences, banned crates and their sources
	@$(fetch)/cargo-deny.sh
	$(or $(CARGO_DENY),.tools/bin/cargo-deny) --locked check licenses bans sources

advisories: ## Check the dependencies for known holes: no part of `make test`, as it fetches RustSec's database
	@$(fetch)/cargo-deny.sh
	$(or $(CARGO_DENY),.tools/bin/cargo-deny) --locked check advisories

docs: ## Build the documentation alone; warnings are errors
	RUSTDOCFLAGS="--deny warnings" cargo doc $(tests) --no-deps --lib

compile: ## Compile everything native that is tested, with clippy and the documentation
	$(checked) test $(tests) --no-run --lib --bins --tests
	$(checked) build $(tests) --bin envoy-autocert --test e2e --test cas

unit: plugin ## Run the unit tests and the plugin's ABI tests, all but the simulation
	ENVOY_AUTOCERT_WASM=$(abspath $(target)/envoy_autocert.wasm) $(checked) test $(tests) -- --skip what_never_happens

simulation: ## Run the simulation of the whole product: SEED= and SEEDS= as for `make soak`
	$(checked) test $(tests) --lib -- what_never_happens

purity: ## Check the pure crates, which crate depends on which, and that no files import each other in a circle
	@$(fetch)/wasm-targets.sh
	tests/purity.sh $(quick)
	tests/circles.py

wasm-runner:
	@$(fetch)/wasm-targets.sh
	@$(fetch)/wasm-bindgen.sh

wasm: wasm-runner ## Run the pure crates' tests as wasm, under Node
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(CURDIR)/.tools/bin/wasm-bindgen-test-runner cargo test $(pure-wasm)

e2e: tools plugin ## Run the end-to-end tests: make e2e ONLY=renewal for some of them
	$(checked) build $(tests) --bin envoy-autocert --test e2e --test cas
	$(checked) test $(tests) --test e2e -- --test-threads=$(threads) $(ONLY)
	$(if $(ONLY),,$(checked) test $(tests) --test cas -- --test-threads=$(threads) $(quick-cas))

cas: tools plugin ## Run against other ACME servers, as root, and print what was proved: make cas ONLY=django_ca
	@$(fetch)/acme-servers.sh
	@$(fetch)/postgresql.sh
	$(checked) build $(tests) --bin envoy-autocert --test cas
	$(if $(ONLY),,rm -rf $(target)/cas)
	$(checked) test $(tests) --test cas -- --test-threads=$(threads) $(ONLY)
	$(if $(ONLY),,$(checked) test $(tests) --test cas -- --ignored --nocapture)

envoys: tools plugin ## Run the end-to-end tests that Envoy's version may matter to with each older Envoy
	$(checked) build $(tests) --bin envoy-autocert --test e2e
	for series in 1.37 1.38 1.39; do \
		echo "Envoy $$series"; \
		ENVOY=$(CURDIR)/.tools/bin/envoy-$$series ENVOY_AUTOCERT_ENVOY=$(CURDIR)/.tools/bin/envoy-$$series \
			$(checked) test $(tests) --test e2e -- --test-threads=$(threads) $(or $(ONLY),$(version-matters)) \
			--skip render::envoy_takes_the_rendered_examples; \
	done

bench: servers build ## Measure, print a table, write target/bench.json
	@$(fetch)/wrk.sh
	@$(fetch)/bind.sh
	@cargo build --quiet $(release) --package tests --bin bench
	@$(target)/release/bench

fuzz: ## Fuzz whatever strangers reach, a minute each: make fuzz ONLY=rule EACH=600
	@$(fetch)/cargo-fuzz.sh
	@tests/fuzz/run.sh $(or $(EACH),60) $(ONLY)

soak: ## Simulate months with faults, seed by seed: make soak SEEDS=100000, or SEED=7 for one again
	$(if $(SEED),SEED=$(SEED)) SEEDS=$(or $(SEEDS),20000) FIRST=$(or $(FIRST),0) $(MAKE) simulation

servers: ## Fetch Envoy and Pebble into .tools
	@$(fetch)/envoy.sh
	@$(fetch)/pebble.sh

tools: servers ## Fetch these, older Envoys, the clients whose files the tests import, and DNS servers
	@$(fetch)/envoy.sh 1.36 1.37 1.38 1.39
	@$(fetch)/lego.sh
	@$(fetch)/caddy.sh
	@$(fetch)/certbot.sh
	@$(fetch)/bind.sh
	@$(fetch)/knot.sh
	@$(fetch)/powerdns.sh

fmt: ## Format the code
	cargo fmt --all

clean: ## Remove what was built and fetched
	cargo clean
	rm -rf .tools

.PHONY: help build plugin demo test format lint licences advisories docs compile unit simulation purity wasm-runner wasm e2e cas envoys bench fuzz soak servers tools fmt clean
