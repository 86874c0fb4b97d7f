#!/usr/bin/env python
"""Show clips of a corpus in one picture: each sketch, its frames and its prompt.

python jobs/preview.py --corpus out/clips --output out/preview.png
"""

import sys

from pipelines.cli import run
from pipelines.preview import PreviewConfig, write_preview

if __name__ == "__main__":
    sys.exit(run(write_preview, PreviewConfig, __doc__))
