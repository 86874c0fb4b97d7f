#!/usr/bin/env python
"""Ten minutes on a GPU: which kernels, batch, graphs and VAE calls are the fastest, and the goals.

Needs torch, diffusers, transformers, peft, pyarrow and Pillow: no Ray, no network, no weights.
Rows come in the order of their value; each is in DIR/gpu.jsonl and DIR/gpu.md before the next one
begins. What does not fit in the budget is a row that says so; what fails, even with its process, is
a row with its error, and the rest goes on. The same command again measures what is missing.

    python benchmarks/gpu.py --seconds 540 --output DIR
    python benchmarks/gpu.py --seconds 60 --output DIR --size tiny --device cpu
"""

import argparse
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from gpu_parts.rows import Rows
from gpu_parts.supervisor import supervise

PARTS = {
    "a": "the card",
    "b": "UNet passes",
    "c": "whole clips",
    "d": "VAE",
    "e": "training",
    "f": "longest kernels",
    "g": "goals, and the defaults that follow",
    "h": "Live-Sketch",
}


def main() -> int:
    arguments = parse()
    if arguments.until is None:
        until = time.time() + arguments.seconds
        Rows(arguments.output).forget_unmeasured()
        command = [sys.executable, __file__, *sys.argv[1:], "--until", str(until)]
        return supervise(command, arguments.output, until)
    from gpu_parts.plan import run_parts

    # What the libraries have made stays, and need not be looked through after each row.
    gc.freeze()
    run_parts(arguments)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the rows")
    parser.add_argument("--seconds", type=float, default=540, help="budget, start-up included")
    parser.add_argument("--size", choices=("modelscope", "doodle", "tiny"), default="modelscope")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=list(PARTS),
        default=list(PARTS),
        help="; ".join(f"{letter}: {subject}" for letter, subject in PARTS.items()),
    )
    parser.add_argument("--batches", nargs="+", type=int, help="batches of the UNet passes")
    # The end of the budget, for the process that measures.
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
