#!/usr/bin/env python
r"""Rasterize animations (folders or archives of SVG frames) into WebDataset shards to train on.

Exits with 1 when more animations failed than --max-failures, after saving the rest. Rerun the same
command to resume an interrupted run.

    python jobs/make_shards.py --animations data/animations --output out/shards
"""

import sys

from pipelines.cli import run
from pipelines.rasterize import RasterizeConfig, make_training_shards

if __name__ == "__main__":
    sys.exit(run(make_training_shards, RasterizeConfig, __doc__))
