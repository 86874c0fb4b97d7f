#!/usr/bin/env python
"""Draw animations with prompts, in the layout that Live-Sketch writes, to train on.

Rerun the same command to resume an interrupted run.

    python jobs/make_doodles.py --output out/doodles --num-animations 100
"""

import sys

from pipelines.cli import run
from pipelines.doodles import DoodlesConfig, make_doodles

if __name__ == "__main__":
    sys.exit(run(make_doodles, DoodlesConfig, __doc__))
