# The front door. Every target first installs what it needs into $(VENV), once.
VENV ?= .venv
PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := $(VENV)/bin
COMPARED := poprec,sasrec,gru4rec,gsrec,bert4rec
SEEDS := 3
TRIALS := 12
# What is tuned by itself, on which line's log, and what is set beside what trials draw.
STUDIED_T := sasrec gru4rec gsrec
STUDIED_D := sasrec
STUDY_D := --set averaging=0.98
# The lines of docs/results.md: a log, what targets are ranked among, and how the log is split.
LINES := A D E F G H T
LOG_A := ml-1m
LOG_D := amazon-beauty-5core
LOG_E := amazon-beauty-bert4rec
LOG_F := ml-1m
LOG_G := amazon-beauty-bert4rec
LOG_H := amazon-beauty-5core
LOG_T := ml-100k
# Whose models a line judges.
JUDGED_F := A
JUDGED_G := E
AMONG_F = --candidates popularity:100 --trained $(RESULTS)/A
AMONG_G = --candidates popularity:100 --trained $(RESULTS)/E
SPLIT_H := --set split=temporal
PARTS_A := sasrec:one-negative,sasrec:neighbours,sasrec:wide
PARTS_F := sasrec:neighbours,sasrec:wide,gsrec:beyond-popularity,sasrec:beyond-popularity,gru4rec:beyond-popularity
TUNED_A := gru4rec:tuned
TUNED_F := $(TUNED_A)
PARTS_D := sasrec:neighbours,sasrec:cosines-neighbours
PARTS_E := sasrec:cosines-neighbours
PARTS_G := $(PARTS_E)
PARTS_H := $(PARTS_E),poprec:last-month
RESULTS := results
PAGE := docs/results.md
AGAIN := runs/again
LINE ?= $(LINES)
PEERS := rectools replay recbole
# Every preset of experiments/ablations.toml, beside GSRec as it is and the other hybrids.
ABLATED := gsrec$(shell sed -n 's/^\[\(.*\)\.[a-z]*\]$$/,gsrec:\1/p' experiments/ablations.toml | uniq | tr -d '\n'),gat4rec,fdg-trans,gru-transformer
STRICT := src/gsrec/data/*,src/gsrec/ranking.py,src/gsrec/evaluation/*

# The shell finds the lines when they are there; one that runs now is none yet when make reads this.
report = $(BIN)/gsrec report $(RESULTS)/[A-Z] --published experiments/published.toml

# Side by side, a process a core, but no more than four for the sake of memory; who is done early takes over from others.
tests = $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal

# Quiet when all goes well; the whole log when it does not.
logged = $(1) >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log >&2; exit 1; }
install = $(BIN)/python -m pip install --constraint constraints.txt
install_package = $(install) --build-constraint constraints.txt --editable '.[report]'

.DEFAULT_GOAL := help
.PHONY: help quickstart test check format docs results reproduce tuned thesis ablations ablations-page peers bench fuzz reliability audit clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

quickstart: $(VENV)/.run ## install, then compare four models on a synthetic log
	$(BIN)/gsrec compare synthetic --models poprec,gru4rec,sasrec,gsrec --seeds 1 --out runs/quickstart

test: $(VENV)/.test ## install what tests need, then run them
	$(tests)

check: $(VENV)/.dev ## all that CI checks: format, lint, types, import rule, tests with coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(tests) --cov
	$(BIN)/coverage report --include='$(STRICT)' --fail-under=100

format: $(VENV)/.dev ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: ablations-page ## write the pages of results out of results/
	$(report) --out $(PAGE) --fill README.md
	cp results/thesis/thesis.md docs/thesis.md
	cp results/thesis-small/thesis.md docs/thesis-small.md

results: $(VENV)/.run ## run what is not recorded yet of lines of docs/results.md, such as LINE=A (hours each)
	@for line in $(sort $(foreach line,$(LINE),$(JUDGED_$(line)) $(line))); do $(MAKE) --no-print-directory line-$$line parts-$$line || exit 1; done
	$(report) --out $(PAGE)

reproduce: ## run lines of docs/results.md again from nothing, such as LINE=A, into runs/again; stopped, it goes on
	$(MAKE) --no-print-directory results RESULTS=$(AGAIN) PAGE=$(AGAIN)/results.md

line-%: $(VENV)/.run
	$(BIN)/gsrec compare $(LOG_$*) --models $(COMPARED) --seeds $(SEEDS) --config experiments/$(LOG_$*).toml \
		$(AMONG_$*) $(SPLIT_$*) --out $(RESULTS)/$*

# What lines have besides these models, one seed each: SASRec with GSRec's start and scores, GSRec without recurrence,
# and GRU4Rec with settings tuned on another log.
parts-%: $(VENV)/.run
	$(BIN)/gsrec compare $(LOG_$*) --models $(PARTS_$*) --presets experiments/baselines.toml \
		--config experiments/$(LOG_$*).toml $(AMONG_$*) $(SPLIT_$*) --out $(RESULTS)/$*
	$(BIN)/gsrec compare $(LOG_$*) --models gsrec:cell-none --presets experiments/ablations.toml \
		--config experiments/$(LOG_$*).toml $(AMONG_$*) $(SPLIT_$*) --out $(RESULTS)/$*
	$(if $(TUNED_$*),$(BIN)/gsrec compare $(LOG_$*) --models $(TUNED_$*) --presets experiments/baselines.toml \
		--set precision=bfloat16 $(AMONG_$*) --out $(RESULTS)/$*)

# Of line T every model has settings of its own, the best of as many trials on validation.
line-T: $(VENV)/.run
	$(BIN)/gsrec compare $(LOG_T) --models poprec --out $(RESULTS)/T
	@for model in $(STUDIED_T); do \
		$(BIN)/gsrec compare $(LOG_T) --models $$model --seeds $(SEEDS) --config experiments/$(LOG_T)/$$model.toml \
			--out $(RESULTS)/T || exit 1; done

parts-T: ;

tuned: tuned-T tuned-D ## tune the models of line T alike, for their settings in experiments, and SASRec on line D (hours; stopped, it goes on)
	@mkdir -p experiments/$(LOG_T)
	@for model in $(STUDIED_T); do cp runs/tuned/T/$$model/best.toml experiments/$(LOG_T)/$$model.toml || exit 1; done

tuned-T tuned-D: tuned-%: $(VENV)/.test
	@mkdir -p $(RESULTS)/tuned/$*
	@for model in $(STUDIED_$*); do \
		$(BIN)/gsrec tune $(LOG_$*) --model $$model --trials $(TRIALS) $(STUDY_$*) --out runs/tuned/$*/$$model && \
		cp runs/tuned/$*/$$model/trials.json $(RESULTS)/tuned/$*/$$model.json || exit 1; done

thesis: $(VENV)/.run ## run what is not recorded yet of the thesis's experiment: cut down to minutes, then at full size (half a day), or only some of it (OF=sasrec,gsrec)
	$(BIN)/gsrec thesis --small --out results/thesis-small
	$(BIN)/gsrec thesis --out results/thesis $(if $(OF),--models $(OF))

ablations: ablations-A ablations-D ablations-page ## train GSRec without each of its parts, and the other hybrids, on two data sets (hours a seed), and write docs/ablations.md

ablations-page: $(VENV)/.run
	$(BIN)/python benchmarks/ablations.py results/ablations experiments/questions.toml docs/ablations.md

ablations-A ablations-D: ablations-%: $(VENV)/.run
	$(BIN)/gsrec compare $(LOG_$*) --models $(ABLATED) --presets experiments/ablations.toml --seeds $(SEEDS) \
		--config experiments/$(LOG_$*).toml --set epochs=8 --set validate_every=2 --out results/ablations/$(LOG_$*)

peers: $(VENV)/.run ## make an environment for every peer that benchmarks measure
	@for peer in $(PEERS); do \
		test -e benchmarks/.venvs/$$peer/.done && continue; \
		echo "Making benchmarks/.venvs/$$peer"; \
		$(PYTHON) -m venv benchmarks/.venvs/$$peer && \
		benchmarks/.venvs/$$peer/bin/pip install --quiet --requirement benchmarks/peers/$$peer.txt && \
		touch benchmarks/.venvs/$$peer/.done || exit 1; done

bench: $(VENV)/.test ## measure GSRec and the peers that are installed side by side (an hour, on a quiet machine)
	$(BIN)/python benchmarks/run.py --out results/performance
	$(BIN)/python benchmarks/latency.py --out results/performance
	$(BIN)/python benchmarks/serving/load.py --out results/performance
	$(BIN)/python benchmarks/index.py --out results/performance
	$(BIN)/python benchmarks/growth.py --out results/performance
	$(BIN)/python benchmarks/quality.py --out results/performance
	$(BIN)/python benchmarks/page.py results/performance docs/performance.md

fuzz: $(VENV)/.test ## give hostile bytes to everything that reads any, 100,000 cases a target (hours; led by atheris where it installs)
	-$(BIN)/python -m pip install --quiet atheris==3.0.0
	$(BIN)/python tests/fuzz/drive.py --cases 100000 --tally results/reliability/tried.json

reliability: $(VENV)/.test ## kill trainings and make faults happen, many times over, and write docs/reliability.md
	GSREC_TALLY=results/reliability/tried.json $(BIN)/pytest -m "slow or not slow" tests/cli/test_killed.py tests/faults
	$(BIN)/python benchmarks/reliability.py results/reliability docs/reliability.md

audit: $(VENV)/.dev ## look for known holes in what is installed, and for unsafe code
	$(BIN)/python -m pip install --quiet pip-audit==2.10.1
	$(BIN)/ruff check --select S --ignore S101 src
	$(BIN)/pip-audit --progress-spinner off --requirement constraints.txt --no-deps --disable-pip

clean: ## remove the environment, the caches and the quickstart's results
	rm -rf $(VENV) .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache runs/quickstart
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.pip:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed; name one: make PYTHON=...' >&2; exit 1; }
	@echo 'Making $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@$(call logged,$(install) pip)
	@touch $@

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/.pip
	@echo 'Installing gsrec (the first time takes a few minutes; log in $(VENV)/install.log)'
	@$(call logged,$(install_package))
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.pip
	@echo 'Installing gsrec and what its tests need (log in $(VENV)/install.log)'
	@$(call logged,$(install_package) --group test)
	@touch $(VENV)/.run $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.pip
	@echo 'Installing gsrec and the tools of its developers (log in $(VENV)/install.log)'
	@$(call logged,$(install_package) --group dev)
	@touch $(VENV)/.run $(VENV)/.test $@
