#!/usr/bin/env python
r"""Train a LoRA adapter (or all weights) of a text-to-video model on shards of sketch animations.

Rerun the same command to resume an interrupted run.

    python jobs/train_lora.py --shards out/shards --model doodle --output out/train \
        --num-steps 100
"""

import sys

from pipelines.cli import run
from pipelines.train import train
from pipelines.training.config import TrainConfig

if __name__ == "__main__":
    sys.exit(run(train, TrainConfig, __doc__))
