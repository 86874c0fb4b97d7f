MANIFEST ?= data/manifests/demo.jsonl
MODEL ?= out/models/tiny
OUT ?= out/clips
ANIMATIONS ?= data/animations
SHARDS ?= out/shards
TRAINING_SHARDS ?= out/training-shards
STEPS ?= 100
ARGS ?=
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install demo animate preview report shards doodles train doodle-model test test-slow lint clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: .venv/installed ## Install everything into .venv (pip, pinned by constraints.txt)

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --constraint constraints.txt torch
	$(BIN)/pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install $(MODEL) ## Animate the sketches in data/ and show the result
	$(BIN)/python jobs/animate_manifest.py --manifest data/manifests/demo.jsonl --model $(MODEL) \
		--output out/demo --num-inference-steps 5 $(ARGS)
	$(BIN)/python jobs/preview.py --corpus out/demo --output out/demo-preview.png --gifs out/demo-gifs
	@echo "The weights of $(MODEL) are random: the clips show that everything runs, not what a"
	@echo "trained model draws. Look at out/demo-preview.png and out/demo-gifs/."

animate: install $(MODEL) ## Animate MANIFEST with MODEL into OUT (more settings in ARGS)
	$(BIN)/python jobs/animate_manifest.py --manifest $(MANIFEST) --model $(MODEL) --output $(OUT) $(ARGS)

report: install ## Score the corpus in OUT and write OUT/report.html, a page to look at it with
	$(BIN)/python jobs/evaluate.py --corpus $(OUT) $(ARGS)
	$(BIN)/python jobs/report.py --corpus $(OUT)

preview: install ## Write OUT-preview.png: sketches and their frames
	$(BIN)/python jobs/preview.py --corpus $(OUT) --output $(OUT)-preview.png $(ARGS)

shards: install ## Rasterize ANIMATIONS (folder or archive) into SHARDS to train on (more in ARGS)
	$(BIN)/python jobs/make_shards.py --animations $(ANIMATIONS) --output $(SHARDS) $(ARGS)

doodles: install ## Draw animations of our own into out/doodles (how many and which in ARGS)
	$(BIN)/python jobs/make_doodles.py --output out/doodles $(ARGS)

train: install $(MODEL) $(TRAINING_SHARDS)/README.md ## Train an adapter for MODEL on TRAINING_SHARDS, STEPS long, into out/train
	$(BIN)/python jobs/train_lora.py --shards $(TRAINING_SHARDS) --model $(MODEL) --output out/train \
		--num-steps $(STEPS) $(ARGS)

out/training-shards/README.md: | install
	$(BIN)/python jobs/make_doodles.py --output out/training-doodles --num-animations 200
	$(BIN)/python jobs/make_shards.py --animations out/training-doodles --output out/training-shards \
		--size 32 --rows-per-shard 25 --executor local

out/models/tiny: | install
	$(BIN)/python -m flipsketch.tiny $@

doodle-model: install ## Train a small model of our own, its adapter and its scorer (hours on a CPU)
	$(BIN)/python jobs/make_doodle_model.py --output out/doodle-model $(ARGS)

test: install ## Run the tests, but for the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

test-slow: install ## Run the slow tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow $(ARGS)

lint: install ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## Delete what was generated, the installed packages too
	rm -rf out .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
