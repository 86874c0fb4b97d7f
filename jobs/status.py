#!/usr/bin/env python
"""Say how far a run is, what failed and why; with --verify, whether all that it wrote is sound.

Works while a job runs and after a crash. Exits with 1 if anything is in doubt or wrong.

    python jobs/status.py --corpus out/clips --verify
"""

import sys

from pipelines.cli import run
from pipelines.status import StatusConfig, print_status

if __name__ == "__main__":
    sys.exit(run(print_status, StatusConfig, __doc__))
