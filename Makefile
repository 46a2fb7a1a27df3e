# Thin targets: each is one line of another program.
SHELL := /bin/sh
NODE := sh bin/node
.PHONY: setup check test prove bench demo docs

setup: ## install what npm and pip bring; quick when there is nothing to do
	@sh bin/setup

demo: setup ## compile, run and inspect real Airflow DAG files
	@bin/leoflow demo

check: setup ## lint, types, unit tests, house rules (under 10 s)
	@$(NODE) test/run.ts check

test: setup ## everything that a change must pass (under 15 minutes)
	@$(NODE) test/run.ts all

prove: test ## the long proofs, in parts
	@$(NODE) bench/main.ts

bench: setup ## figures as ratios against floors measured in the same run
	@$(NODE) bench/main.ts

docs: setup ## regenerate generated documents
	@$(NODE) test/house/generate-docs.ts
