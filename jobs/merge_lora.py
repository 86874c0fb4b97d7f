#!/usr/bin/env python
r"""Merge an adapter into the weights of a model, and write a model folder that needs no adapter.

    python jobs/merge_lora.py --model doodle --lora out/train/lora \
        --output out/models/merged
"""

import sys

from pipelines.cli import run
from pipelines.merge_lora import MergeConfig, merge

if __name__ == "__main__":
    sys.exit(run(merge, MergeConfig, __doc__))
