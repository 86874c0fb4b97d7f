#!/usr/bin/env python
r"""Animate a manifest of sketches and prompts: clips in WebDataset shards, metadata in Parquet.

Exits with 1 when more rows failed than --max-failures, after saving the rest. Rerun the same
command to resume an interrupted run.

    python jobs/animate_manifest.py --manifest data/manifests/demo.jsonl --model doodle \
        --output out/clips
"""

import sys

from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.cli import run

if __name__ == "__main__":
    sys.exit(run(animate_manifest, AnimateConfig, __doc__))
