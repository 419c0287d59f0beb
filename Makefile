# Every command for people and CI. Each target does the set-up that it needs.
.DEFAULT_GOAL := help
.PHONY: help demo fleet-demo up quick test nightly bench screenshots deploy-test chaos soak check release assets audit clean requirements

BIN := .venv/bin

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 21

demo: ## one session from start to report: set-up, simulated network, scan, scores, cleanup
	@setup/setup demo
	@$(BIN)/dryrun-local demo

fleet-demo: ## one session over three engines on this machine, from start to report (root; UP=1: serve until Ctrl-C)
	@setup/setup test
	@$(BIN)/dryrun-local images build
	@exec env PYTHONPATH=tests/support $(BIN)/python tests/support/fleet_demo.py $(if $(UP),--up)

up: ## run all services until Ctrl-C, for trying out and developing
	@setup/setup demo
	@$(BIN)/dryrun-local up

quick: check ## check, and run the unit tests that concern what differs from main, or all of PACKAGE=guard; about a minute
	@folders="$(if $(PACKAGE),$(PACKAGE)/tests,$$($(BIN)/python tests/support/changed_tests.py))" || exit; \
	if [ -z "$$folders" ]; then echo "nothing differs from main"; exit; fi; \
	$(BIN)/pytest -q -m "not engine and not browser and not deploy" -n 3 --durations=3 $$folders || \
		{ code=$$?; [ "$$code" -eq 5 ] || exit "$$code"; echo "no unit test concerns what differs from main"; }

test: ## run every test, on the real Docker Engine
	@setup/setup test
	@$(BIN)/dryrun-local images build
	@$(BIN)/dryrun-local images services
	@tests/support/every-test $(AGAIN)

nightly: ## tests too long for every change: 10,000 mutated requests, five variants of every template, every image and recipe, versions of scanners, 1,000 deliveries to failing receivers
	@setup/setup nightly
	@$(BIN)/dryrun-local images build
	@HYPOTHESIS_PROFILE=nightly $(BIN)/pytest -n 2 --durations=3 guard/tests/rules/test_container_rules.py; bodies=$$?; \
	DRYRUN_SHARE=all DRYRUN_SEEDS=5 $(BIN)/pytest -m engine --durations=5 tests/truth/test_templates.py; seeds=$$?; \
	DRYRUN_SHARE=all $(BIN)/pytest -m engine --durations=5 tests/truth/test_ground_truth.py tests/bounds/test_images.py \
		tests/replicas/test_stand_ins.py tests/replicas/test_nmap_names.py; shares=$$?; \
	DRYRUN_SEEDS=5 DRYRUN_REPETITIONS=3 $(BIN)/pytest -m engine --durations=5 tests/pipeline/test_versions.py; versions=$$?; \
	DRYRUN_SHARE=all DRYRUN_MANAGERS=1 DRYRUN_CONTROL_HOST=1 tests/support/with-own-engine $(BIN)/pytest -m engine \
		tests/fleet; managers=$$?; \
	DRYRUN_IMAGES="discovery/test-nginx:1.26 discovery/test-redis:8.0 discovery/test-collector-probe:1.0 \
		discovery/test-collector-network:1.0 discovery/test-collector-database:1.0" tests/support/in-debian-vm \
		$(BIN)/pytest -m engine -p no:cacheprovider --durations=5 tests/fleet/test_encrypted.py; encrypted=$$?; \
	DRYRUN_DELIVERIES=1000 $(BIN)/pytest --timeout=900 --durations=5 approval/tests/deliveries/test_sending.py approval/tests/deliveries/test_netbox.py \
		-k "nothing_is_lost or create_nothing_twice"; deliveries=$$?; \
	exit $$((bodies | seeds | shares | versions | managers | encrypted | deliveries))

bench: ## measure speed beside what people use instead; writes docs/benchmarks.md (LONG=1: some 100 minutes, surer)
	@setup/setup bench
	@$(BIN)/dryrun-local images build
	@$(BIN)/python -m bench $(if $(LONG),--long)

screenshots: ## write every page, as people see it, to .dryrun/screenshots
	@setup/setup test
	@mkdir -p .dryrun/screenshots
	@SCREENSHOTS=$(CURDIR)/.dryrun/screenshots $(BIN)/pytest -q -n 2 -k "nothing_is_cut_off" approval/tests/browser

deploy-test: ## test the deployment: start it by Compose, use it, attack it from inside, remove it
	@setup/setup test
	@$(BIN)/dryrun-local images build
	@$(BIN)/pytest -m deploy --durations=5

chaos: ## break parts at random while sessions run, N faults (root; N=3000 SEED=11; STATE=tests/chaos/rounds/one-host.ndjson goes on; FLEET=1: of three hosts)
	@setup/setup test
	@$(BIN)/dryrun-local images build
	@PYTHONPATH=tests/support $(if $(FLEET),tests/support/with-own-engine )$(BIN)/python tests/chaos/campaign.py --faults $(or $(N),40) --seed $(or $(SEED),2026) $(if $(STATE),--state "$(STATE)")$(if $(FLEET), --fleet)

soak: ## queue N sessions at once, and measure whether anything grows (root; N=50; FLEET=1: on three hosts)
	@setup/setup test
	@$(BIN)/dryrun-local images build
	@PYTHONPATH=tests/support $(if $(FLEET),tests/support/with-own-engine )$(BIN)/python tests/chaos/soak.py --sessions $(or $(N),50)$(if $(FLEET), --fleet)

check: ## check style, types and boundaries between packages; under a minute
	@setup/setup check
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@# Exit 2: the machine was too busy to start mypy's workers in its 3 s.
	@$(BIN)/mypy || { [ $$? -eq 2 ] && MYPY_NUM_WORKERS=0 $(BIN)/mypy; }
	@$(BIN)/lint-imports --no-logo

release: ## wheels, bills of materials, notes and checksums of VERSION=X.Y.Z into dist/
	@setup/setup demo
	@$(BIN)/dryrun-local images build
	@$(BIN)/dryrun-local images services
	@$(BIN)/python -m dryrun_local.release "$(VERSION)"

requirements: ## renew the pinned hashes in requirements/
	@setup/setup check
	@setup/pin

assets: ## compare the pages' vendored files with npm's packages of their versions
	@setup/assets

audit: ## compare the pins with known advisories, offline; DATABASE=CLONE first renews the snapshot
	@setup/setup check
	@setup/audit $(DATABASE)

clean: ## remove what set-up and runs left in this folder; engine and images stay
	@setup/clean
