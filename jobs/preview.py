#!/usr/bin/env python
"""Show clips of a corpus in one picture: the sketch, the frames, the prompt under them.

python jobs/preview.py --corpus out/clips --output out/preview.png
"""

import sys

from flipsketch.report.preview import PreviewConfig, write_preview
from pipelines.cli import run

if __name__ == "__main__":
    sys.exit(run(write_preview, PreviewConfig, __doc__))
