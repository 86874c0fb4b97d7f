#!/usr/bin/env python
"""Train the embedded model, its adapter and its scorer, from doodles alone.

Takes hours on a CPU and minutes on a large GPU. Rerun the same command to resume.

    python jobs/make_doodle_model.py --output out/doodle-model --minutes 60
"""

import sys

from pipelines.cli import run
from pipelines.doodle_model.job import make_doodle_model
from pipelines.doodle_model.settings import DoodleModelConfig

if __name__ == "__main__":
    sys.exit(run(make_doodle_model, DoodleModelConfig, __doc__))
