#!/usr/bin/env python
"""Write an HTML page about a corpus: why rows failed, the scores, and a gallery that plays.

python jobs/report.py --corpus out/clips
"""

import sys

from pipelines.cli import run
from pipelines.report import ReportConfig, write_report

if __name__ == "__main__":
    sys.exit(run(write_report, ReportConfig, __doc__))
