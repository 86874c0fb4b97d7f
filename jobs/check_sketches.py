#!/usr/bin/env python
"""Open every sketch of a folder or a manifest, and show which a run would refuse, and why, and
which it would repair: each as the model will see it, beside its original where that differs.

Nothing is made. Exits with 1 if any sketch is refused.

    python jobs/check_sketches.py data/sketches --output out/sheet.png
"""

import sys

from pipelines.check_sketches import CheckSketchesConfig, check_sketches
from pipelines.cli import run

if __name__ == "__main__":
    sys.exit(run(check_sketches, CheckSketchesConfig, __doc__))
