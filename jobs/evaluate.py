#!/usr/bin/env python
"""Score the clips of a corpus on their pixels, by optical flow and by CLIP, and summarize.

Rerun the same command to resume an interrupted run.

    python jobs/evaluate.py --corpus out/clips
"""

import sys

from pipelines.cli import run
from pipelines.evaluate import EvaluateConfig, evaluate

if __name__ == "__main__":
    sys.exit(run(evaluate, EvaluateConfig, __doc__))
