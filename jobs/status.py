#!/usr/bin/env python
"""Print the progress of a run and its failures; with --verify, check everything it wrote.

Works while a job runs and after a crash. --repair moves what is damaged aside and says which
command makes it again; --remake makes some clips again and compares them. Exits with 1 if anything
is doubtful or wrong.

    python jobs/status.py --corpus out/clips --verify
"""

import sys

from pipelines.cli import run
from pipelines.status import StatusConfig, print_status

if __name__ == "__main__":
    sys.exit(run(print_status, StatusConfig, __doc__))
