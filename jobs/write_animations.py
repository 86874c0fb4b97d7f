#!/usr/bin/env python
"""Write a corpus's vector animations as folders of SVG frames, in Live-Sketch's own layout.

Exits with 1 when some could not be written, after writing the rest. Rerun the same command to
resume an interrupted run.

    python jobs/write_animations.py --corpus out/livesketch --output out/animations
"""

import sys

from pipelines.cli import run
from pipelines.write_animations import WriteAnimationsConfig, write_animations

if __name__ == "__main__":
    sys.exit(run(write_animations, WriteAnimationsConfig, __doc__))
