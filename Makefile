# Thin targets: each is one line of another program.
SHELL := /bin/sh
NODE := sh bin/node
.PHONY: setup check test site prove prove-sim prove-mutants prove-chaos prove-chaos-task-sdk prove-timetables prove-assess prove-xcom-reader prove-kubernetes prove-older-sdk bench demo docs

setup: ## install what npm and pip bring; quick when there is nothing to do
	@sh bin/setup

demo: ## compile, run and inspect real Airflow DAG files
	@sh bin/setup demo
	@bin/leoflow demo

check: setup ## lint, types, unit tests, house rules (under 10 s)
	@$(NODE) test/run.ts check

test: setup ## everything that a change must pass (20 minutes)
	@$(NODE) test/run.ts all

prove: test prove-sim prove-mutants prove-chaos prove-chaos-task-sdk prove-timetables prove-assess prove-xcom-reader prove-kubernetes prove-older-sdk bench ## the long proofs, in parts

prove-sim: setup ## 1,000 simulated worlds with faults on a virtual clock; SEED=n plays one and tells everything
	@$(NODE) test/sim/main.ts $(if $(SEED),--replay $(SEED),--seeds $(or $(SEEDS),1000))

prove-mutants: setup ## breaks the engine in known ways; the simulation must find each
	@$(NODE) test/sim/mutants.ts

prove-chaos: setup ## kills, partitions and outages under load: at least 10,000 task starts, judged by a reconciler of its own, in docs/chaos.md
	@$(NODE) test/chaos/main.ts --markdown docs/chaos.md

prove-chaos-task-sdk: setup ## the same faults of processes and of the database with tasks under Airflow's Task SDK, in docs/chaos-task-sdk.md
	@CHAOS_RUNTIME=airflow $(NODE) test/chaos/main.ts --starts 200 --markdown docs/chaos-task-sdk.md

prove-timetables: setup ## random timetables beside Airflow's own classes, random crons beside a search; SEED=n repeats one
	@$(NODE) test/compat/timetables/prove.ts $(if $(SEED),--seed $(SEED))

prove-assess: setup ## verdicts of `leoflow assess` beside what Airflow and the engine make of the same files; DIRS="a b" for folders of your own
	@$(NODE) test/compat/assess/prove.ts $(DIRS)

prove-xcom-reader: setup ## `leoflow xcom pull` beside what real Airflows 3.2.1 and 2.11 read after running DAGs; AIRFLOW="2.2 1.10" for others
	@$(NODE) test/compat/xcom-reader/prove.ts $(AIRFLOW)

prove-kubernetes: setup ## a real single-node Kubernetes, the XCom reader in it and KubernetesPodOperator on it; needs root, says what else
	@$(NODE) test/kubernetes/prove.ts

prove-older-sdk: setup ## Airflow's own supervisor with the Task SDK of Airflow 3.1 against the engine; older ones are refused
	@$(NODE) test/compat/older-sdk/prove.ts

bench: setup ## figures beside targets, floors and Airflow, in docs/benchmarks.md (half an hour)
	@$(NODE) bench/main.ts --write

site: setup ## the documentation as a site, in .cache/site
	@bin/site build

docs: setup ## regenerate generated documents
	@$(NODE) test/house/generate-docs.ts
