#!/usr/bin/env python
"""Flip bits in every file of a corpus, edit its plan and its manifest.json, and see what is found.

Each of the flips, one bit in one file, is looked for by `status --verify`, in a process of its own
that may die of it. Then some are left in, --repair moves them aside, and the same commands make
all again. Each edit of run.json or manifest.json is given to the jobs that read these files.

    python benchmarks/damage.py
    python benchmarks/damage.py --flips 500 --edits 0
"""

import contextlib
import io
import logging
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import tyro

from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.tiny import write_tiny_model
from pipelines.animate import animate_manifest
from pipelines.curate import curate
from pipelines.report import write_report
from pipelines.status import StatusConfig, print_status
from tests.helpers.edits import edit_bytes, edit_json, flip
from tests.helpers.runs import Runs
from tests.helpers.scorers import write_clip

HANG_S = 60


@dataclass(frozen=True, kw_only=True)
class DamageConfig:
    flips: int = 2000
    """Number of single bits to flip, over all files."""
    edits: int = 2000
    """Number of edits of run.json and manifest.json, half of each."""
    repaired: int = 40
    """Number of flips that are repaired together, in rounds of four a run."""
    seed: int = 0


def main(config: DamageConfig) -> None:
    logging.disable(logging.CRITICAL)
    quiet_libraries()
    rng = random.Random(config.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model, clip = write_tiny_model(folder / "tiny", size=16), write_clip(folder / "clip")
        runs = Runs(folder, model, clip)
        with contextlib.redirect_stdout(io.StringIO()):
            runs.make()
        bad = flip_bits(runs, config.flips, rng) if config.flips else 0
        bad += repair_rounds(runs, config.repaired, rng) if config.repaired else 0
        bad += edit_files(runs, config.edits, rng) if config.edits else 0
    sys.exit(1 if bad else 0)


def flip_bits(runs: Runs, count: int, rng: random.Random) -> int:
    """Print what becomes of flips in each kind of file; return how many were not as they ought."""
    files = [(output, path) for output, path in runs.files()]
    found: dict[str, Counter[str]] = {}
    for number in range(count):
        output, path = files[number % len(files)]
        content = path.read_bytes()
        path.write_bytes(flip(content, rng.randrange(8 * len(content))))
        name = str(path.relative_to(output))
        lines = verify_in_child(output)
        path.write_bytes(content)
        found.setdefault(kind_of(name), Counter())[judge(name, lines)] += 1
    columns = ("found", "harmless, noted", "missed", "not named", "aborted")
    print(f"| file | flips | {' | '.join(columns)} |\n|---|{'---|' * (1 + len(columns))}")
    for name, counts in {**found, "in all": sum(found.values(), Counter())}.items():
        cells = " | ".join(str(counts[column]) for column in columns)
        print(f"| {name} | {counts.total()} | {cells} |", flush=True)
    return sum(counts[column] for counts in found.values() for column in columns[2:])


def kind_of(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/*.{file.rpartition('.')[2]}" if file[:5].isdigit() else name


def judge(name: str, lines: list[str] | None) -> str:
    if lines is None:
        return "aborted"
    telling = [line for line in lines if line.startswith(("wrong: ", "in doubt: ", "note: "))]
    if not telling:
        return "missed"
    if len(telling) > 1 or f": {name}: " not in telling[0] or "; " not in telling[0]:
        return "not named"
    return "harmless, noted" if telling[0].startswith("note") else "found"


def verify_in_child(corpus: Path) -> list[str] | None:
    """Return what --verify prints; None if its process dies, hangs or raises."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(HANG_S)
        code = 1
        try:
            os.close(reading)
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                print_status(StatusConfig(corpus=str(corpus), verify=True))
            with os.fdopen(writing, "w") as pipe:
                pipe.write(out.getvalue())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    return lines if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 else None


def repair_rounds(runs: Runs, count: int, rng: random.Random) -> int:
    """Repair some flips of each run at a time, run the same commands, and compare all files."""
    before, unequal, num_flips = runs.contents(), 0, 0
    while num_flips < count:
        for output in runs.outputs:
            files = [path for owner, path in runs.files() if owner == output]
            # The plan and its copy together are past repair.
            files = [path for path in files if path.name != "run.copy.json"]
            for path in rng.sample(files, 4):
                content = path.read_bytes()
                path.write_bytes(flip(content, rng.randrange(8 * len(content))))
                num_flips += 1
            with contextlib.redirect_stdout(io.StringIO()):
                print_status(StatusConfig(corpus=str(output), repair=True))
        with contextlib.redirect_stdout(io.StringIO()):
            runs.make()
        after = runs.contents()
        names = before.keys() | after.keys()
        unequal += sum(before.get(name) != after.get(name) for name in names)
    print(f"\nrepaired: {num_flips} flips; files that differ from the original: {unequal}\n")
    return unequal


def edit_files(runs: Runs, count: int, rng: random.Random) -> int:
    """Print what jobs make of edited plans and manifest.json; return how many were not as they
    ought."""
    corpus = runs.outputs[0]
    status = StatusConfig(corpus=str(corpus), verify=True)
    jobs: list[Callable[[], object]] = [
        lambda: print_status(status),
        lambda: print_status(replace(status, verify=False)),
        lambda: animate_manifest(runs.animate),
        lambda: write_report(replace(runs.report, output=str(corpus.parent / "page.html"))),
        lambda: curate(runs.curate),
        lambda: animate_manifest(replace(runs.animate, extend=True)),
    ]
    columns = ("a sentence", "accepted", "traceback", "hang")
    print(f"| file | edits | {' | '.join(columns)} |\n|---|{'---|' * (1 + len(columns))}")
    bad = 0
    for output, name in ((corpus, "run.json"), (corpus, "manifest.json")):
        counts: Counter[str] = Counter()
        contents = {path: path.read_bytes() for _, path in runs.files()}
        for number in range(count // 2):
            edit = edit_bytes if number % 3 == 0 else edit_json
            (output / name).write_bytes(edit(contents[output / name], rng))
            outcome, what = attempt(jobs[number % len(jobs)], name)
            counts[outcome] += 1
            if outcome in ("traceback", "hang"):
                print(f"{name}, edit {number}: {what}", file=sys.stderr, flush=True)
            restore(runs, contents)
        cells = " | ".join(str(counts[column]) for column in columns)
        print(f"| {name} | {counts.total()} | {cells} |", flush=True)
        bad += counts["traceback"] + counts["hang"]
    return bad


def attempt(job: Callable[[], object], name: str) -> tuple[str, str]:
    """Run a job as the command line does and return how it ended: by an error, or a line of output
    or log that names the file, is a sentence."""

    def end(*_: object) -> None:
        raise TimeoutError("hang")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(HANG_S)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    logging.disable(logging.NOTSET)
    try:
        with contextlib.redirect_stdout(out):
            job()
        return ("a sentence" if f"{name}: " in out.getvalue() else "accepted"), ""
    except TimeoutError:
        return "hang", ""
    except (ValueError, OSError) as error:
        return ("a sentence", "") if " " in str(error) else ("traceback", repr(error))
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        logging.disable(logging.CRITICAL)
        logging.getLogger().removeHandler(handler)


def restore(runs: Runs, contents: dict[Path, bytes]) -> None:
    for path in [path for _, path in runs.files() if path not in contents]:
        path.unlink()
    for path, content in contents.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


if __name__ == "__main__":
    main(tyro.cli(DamageConfig, description=__doc__))
