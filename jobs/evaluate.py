#!/usr/bin/env python
"""Score a corpus of clips, on pixels, by optical flow and by CLIP, and sum up.

The same command goes on with an interrupted run.

    python jobs/evaluate.py --corpus out/clips
"""

import sys

from pipelines.cli import run
from pipelines.evaluate import EvaluateConfig, evaluate

if __name__ == "__main__":
    sys.exit(run(evaluate, EvaluateConfig, __doc__))
