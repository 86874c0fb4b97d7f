#!/usr/bin/env python
r"""Add an adapter to the weights of a model: a model folder that needs no adapter.

    python jobs/merge_lora.py --model doodle --lora out/train/lora \
        --output out/models/merged
"""

import sys

from flipsketch.models.video_model import MergeConfig, merge_into_folder
from pipelines.cli import run

if __name__ == "__main__":
    sys.exit(run(merge_into_folder, MergeConfig, __doc__))
