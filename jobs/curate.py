#!/usr/bin/env python
"""Select clips of a scored corpus by their scores, split them, and write them as a new corpus.

Samples are copied byte for byte. Rerun the same command to resume an interrupted run.

    python jobs/curate.py --corpus out/clips --output out/chosen --best-by s2v_consistency
"""

import sys

from pipelines.cli import run
from pipelines.curate import CurateConfig, curate

if __name__ == "__main__":
    sys.exit(run(curate, CurateConfig, __doc__))
