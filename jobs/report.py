#!/usr/bin/env python
"""Write a page to look at a corpus with: why rows failed, scores, and a gallery that plays.

python jobs/report.py --corpus out/clips
"""

import sys

from flipsketch.report.page import ReportConfig, write_report
from pipelines.cli import run

if __name__ == "__main__":
    sys.exit(run(write_report, ReportConfig, __doc__))
