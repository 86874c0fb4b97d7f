MANIFEST ?= data/manifests/demo.jsonl
MODEL ?= doodle
LORA ?=
OUT ?= out/clips
ANIMATIONS ?= data/animations
SHARDS ?= out/shards
TRAINING_SHARDS ?= out/training-shards
STEPS ?= 100
ARGS ?=
PYTHON ?= python3
# The query of a URI (s3://bucket/clips?region=...) stays behind the name.
OUT_PATH = $(firstword $(subst ?, ,$(OUT)))
PREVIEW = $(if $(findstring ://,$(OUT)),$(OUT_PATH)-preview.png$(subst $(OUT_PATH),,$(OUT)),$(OUT)-preview.png)
BIN := .venv/bin

.PHONY: help install demo animate preview report shards doodles train circle doodle-model docs test test-slow lint clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: .venv/installed ## Install everything into .venv (pip, pinned by constraints.txt)

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --constraint constraints.txt torch
	$(BIN)/pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install ## Draw, rasterize, fine-tune, animate by both methods and show, with the model that comes along
	$(BIN)/python jobs/make_doodles.py --output out/demo/doodles --num-animations 32 --num-frames 10
	$(BIN)/python jobs/make_shards.py --animations out/demo/doodles --output out/demo/shards --size 64 \
		--line-width 1 --rows-per-shard 8 --license cc0-1.0 --executor local
	$(BIN)/python jobs/train_lora.py --shards out/demo/shards --model doodle \
		--target-set all --num-steps 8 --num-validation 1 --validation-steps 5 \
		--output out/demo/train --executor local
	$(BIN)/python jobs/animate_manifest.py --manifest data/manifests/demo.jsonl --model doodle \
		--align-steps 2 --license cc0-1.0 --output out/demo/clips $(ARGS)
	$(BIN)/python jobs/animate_manifest.py --manifest data/manifests/demo.jsonl --model doodle \
		--method livesketch --trace --license cc0-1.0 --output out/demo/livesketch $(ARGS)
	$(BIN)/python jobs/preview.py --corpus out/demo/clips --versus out/demo/livesketch \
		--output out/demo/preview.png --num-clips 100 --gifs out/demo/gifs
	$(BIN)/python jobs/preview.py --corpus out/demo/clips --versus out/demo/livesketch \
		--output out/demo/six.png --ids bird-fly fish-swim butterfly car flower boat
	$(BIN)/python jobs/report.py --corpus out/demo/clips --versus out/demo/livesketch \
		--output out/demo/report.html
	@echo "Look at out/demo/preview.png (each sketch beside its frames), out/demo/gifs/ and out/demo/report.html."

animate: install ## Animate MANIFEST with MODEL (and the adapter LORA) into OUT; more flags in ARGS
	$(BIN)/python jobs/animate_manifest.py --manifest '$(MANIFEST)' --model $(MODEL) --output '$(OUT)' \
		$(if $(LORA),--lora $(LORA)) $(ARGS)

report: install ## Score the corpus in OUT and write OUT/report.html, a page that shows it
	$(BIN)/python jobs/evaluate.py --corpus '$(OUT)' $(ARGS)
	$(BIN)/python jobs/report.py --corpus '$(OUT)'

preview: install ## Write OUT-preview.png: sketches and their frames
	$(BIN)/python jobs/preview.py --corpus '$(OUT)' --output '$(PREVIEW)' $(ARGS)

shards: install ## Rasterize ANIMATIONS (a folder or an archive) into training shards in SHARDS
	$(BIN)/python jobs/make_shards.py --animations '$(ANIMATIONS)' --output '$(SHARDS)' $(ARGS)

doodles: install ## Draw doodle animations into out/doodles; number and subjects in ARGS
	$(BIN)/python jobs/make_doodles.py --output out/doodles $(ARGS)

train: install $(if $(findstring ://,$(TRAINING_SHARDS)),,$(TRAINING_SHARDS)/README.md) ## Train an adapter for MODEL on TRAINING_SHARDS for STEPS steps, into out/train
	$(BIN)/python jobs/train_lora.py --shards '$(TRAINING_SHARDS)' --model $(MODEL) --output out/train \
		--num-steps $(STEPS) $(ARGS)

out/training-shards/README.md: | install
	$(BIN)/python jobs/make_doodles.py --output out/training-doodles --num-animations 200
	$(BIN)/python jobs/make_shards.py --animations out/training-doodles --output out/training-shards \
		--size 64 --line-width 1 --rows-per-shard 25 --executor local

circle: install ## Go the paper's way in miniature: sketches, Live-Sketch, shards, an adapter, FlipSketch
	$(BIN)/python jobs/make_doodles.py --manifest out/circle/sketches.parquet --num-animations 11 --seed 21 \
		--subjects ball balloon bird boat butterfly car cat fish flower person rocket \
		--motions bounce up fly-left sail-left flap drive-right wag swim-right sway walk-left launch
	$(BIN)/python jobs/animate_manifest.py --manifest out/circle/sketches.parquet --model doodle \
		--method livesketch --output out/circle/livesketch $(ARGS)
	$(BIN)/python jobs/make_shards.py --animations out/circle/livesketch --output out/circle/shards --size 64 \
		--line-width 1 --rows-per-shard 2 --executor local
	$(BIN)/python jobs/train_lora.py --shards out/circle/shards --model doodle --lora none --target-set all \
		--learning-rate 1e-3 --schedule cosine --warmup-steps 10 --num-steps 60 --global-batch-size 4 \
		--batch-size 4 --validate-every 0 --output out/circle/train --executor local
	$(BIN)/python jobs/animate_manifest.py --manifest data/manifests/demo.jsonl --model doodle \
		--lora out/circle/train/lora --preset draft --output out/circle/with $(ARGS)
	$(BIN)/python jobs/animate_manifest.py --manifest data/manifests/demo.jsonl --model doodle \
		--lora none --preset draft --output out/circle/without $(ARGS)
	$(BIN)/python jobs/preview.py --corpus out/circle/livesketch --output out/circle/livesketch.png
	$(BIN)/python jobs/preview.py --corpus out/circle/with --versus out/circle/without \
		--num-clips 100 --output out/circle/preview.png
	@echo "Look at out/circle/livesketch.png (the clips to train on) and at out/circle/preview.png (clips by FlipSketch with the new adapter, and without any)."

doodle-model: install ## Train a model like doodle, its adapter and its scorer, from nothing (hours on a CPU)
	$(BIN)/python jobs/make_doodle_model.py --output out/doodle-model $(ARGS)

docs: install ## Write the tables of flags in docs/ from the config classes
	$(BIN)/python docs/generate.py

test: install ## Run the tests, except the slow ones
	$(BIN)/python -m pytest -n 2 --dist load --durations 20 -m "not slow" $(ARGS)

test-slow: install ## Run the slow tests
	$(BIN)/python -m pytest -n 2 --dist load --durations 20 -m slow $(ARGS)

lint: install ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## Delete all generated files, and .venv with the installed packages
	rm -rf out .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
