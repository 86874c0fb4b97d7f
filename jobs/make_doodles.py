#!/usr/bin/env python
"""Draw animations with prompts, in the layout that Live-Sketch writes: a training corpus.

The same command goes on with an interrupted run.

    python jobs/make_doodles.py --output out/doodles --num-animations 100
"""

import sys

from pipelines.cli import run
from pipelines.doodles import DoodlesConfig, make_doodles

if __name__ == "__main__":
    sys.exit(run(make_doodles, DoodlesConfig, __doc__))
