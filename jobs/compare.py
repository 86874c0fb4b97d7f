#!/usr/bin/env python
r"""Animate a manifest in several ways, score them, and print one table: the paper's, by default.

Each run is a corpus of its own. The same command goes on with an interrupted one.

    python jobs/compare.py --manifest data/manifests/demo.jsonl --output out/compare
"""

import sys

from pipelines.cli import run
from pipelines.compare import CompareConfig, compare

if __name__ == "__main__":
    sys.exit(run(compare, CompareConfig, __doc__))
