# The two commands are `make run` and `make test`. Everything they need is installed by `scripts/setup`, once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/end2end/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1
# On CI every clone is new, so what was built is kept beside it.
ifdef CI
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kontor/target
endif
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Erasing the types of components makes the browser bundle a fifth smaller; cargo-leptos does it in debug builds anyway,
# and with the same flags everywhere all builds share what is compiled.
export RUSTFLAGS := --cfg erase_components
SAY := printf '\n\033[1m── %s\033[0m\n'

.PHONY: help run test check build bench fuzz setup style fmt

help: ## What there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: ## Install what is missing to build
	@scripts/setup build

style:
	@mkdir -p target/style
	lightningcss --bundle style/main.css --output-file target/style/kontor.css

build: setup style ## The release: target/release/kontor and target/site
	@$(SAY) "Building the release (minutes the first time)"
	cargo leptos build --release --split --precompress
	if [ "$(TARGET)" != target ]; then mkdir -p target/release && cp "$(TARGET)/release/kontor" target/release/kontor; fi

run: build ## Build and serve on http://127.0.0.1:3000, with a demo company at the first start
	@$(SAY) "Serving; stop with Ctrl-C"
	target/release/kontor serve --demo

check: ## The quick loop: formatting, lints, unit tests
	cargo fmt --all --check
	cargo clippy --quiet --workspace --features ssr --all-targets -- -D warnings
	cargo clippy --quiet --features hydrate --lib --target wasm32-unknown-unknown --target-dir "$(TARGET)/front" -- -D warnings
	cargo test --quiet --features ssr --lib

test: setup style ## Everything CI checks
	@scripts/setup test
	$(SAY) "Formatting"
	cargo fmt --all --check
	$(SAY) "Lints of the server"
	cargo clippy --workspace --features ssr --all-targets -- -D warnings
	$(SAY) "Lints of the browser build"
	cargo clippy --features hydrate --lib --target wasm32-unknown-unknown --target-dir "$(TARGET)/front" -- -D warnings
	$(SAY) "Unit and integration tests, on SQLite and PostgreSQL"
	scripts/with-postgres cargo test --features ssr
	$(SAY) "The app for the browser tests"
	cargo leptos build --split
	$(SAY) "The API against its own description"
	TEST_DATABASE_URL= KONTOR_PROGRAM="$(TARGET)/debug/kontor" scripts/fuzz cases 8
	$(SAY) "Browser tests, with JavaScript and without"
	KONTOR_PROGRAM="$(TARGET)/debug/kontor" playwright test --config end2end/playwright.config.ts

bench: build ## Speed, memory and size, against the budgets
	@scripts/setup bench
	# With the name cargo-leptos builds under, so that nothing of it is built twice.
	LEPTOS_OUTPUT_NAME=kontor TEST_DATABASE_DURABLE=1 KONTOR_PROGRAM="$(TARGET)/release/kontor" scripts/with-postgres \
		cargo bench --quiet --features ssr --bench desk

fuzz: ## Requests made up from the OpenAPI document, and random histories, each for FUZZ_SECONDS (600) on each database
	cargo build --features ssr
	scripts/with-postgres scripts/fuzz seconds "$(or $(FUZZ_SECONDS),600)"
	export MODEL_SEED=$${MODEL_SEED:-$$(date +%s)} MODEL_SECONDS="$(or $(FUZZ_SECONDS),600)"
	$(SAY) "Random histories from MODEL_SEED=$$MODEL_SEED"
	scripts/with-postgres cargo test --features ssr --test model -- --nocapture --test-threads=1

fmt: ## Format everything
	cargo fmt --all
