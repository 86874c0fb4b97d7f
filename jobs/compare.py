#!/usr/bin/env python
r"""Animate a manifest with several methods, score them and print a table: the paper's by default.

Each run is a separate corpus. Rerun the same command to resume an interrupted one.

    python jobs/compare.py --manifest data/manifests/demo.jsonl --output out/compare
"""

import sys

from pipelines.cli import run
from pipelines.compare import CompareConfig, compare

if __name__ == "__main__":
    sys.exit(run(compare, CompareConfig, __doc__))
