"""A pilot: some rows from all of a manifest, made first, and what they say of the rest."""

import logging
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from flipsketch.corpus.kinds import TAR
from flipsketch.corpus.parts import RowsWithout, count_shards, format_ranges, sorted_rows
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts, committed_shards, read_metadata
from flipsketch.corpus.verify import remake_command
from flipsketch.rng import Stream, random_state
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import count
from pipelines.execution.work import Resources
from pipelines.sharding.dry_run import format_bytes, format_s
from pipelines.sharding.planning import choose_rows_per_shard

log = logging.getLogger(__name__)

SEED = 0
# The normal distribution's, of intervals that hold with 95%.
Z = 1.96
# Of each worker; its first batch has a start-up in it that the others do not have.
ENOUGH_BATCHES = 4


def add_pilot(folder: Folder, plan: Plan, num_rows: int, workers: int) -> Plan:
    """Return the plan with so many rows in its pilot, drawn from all of its rows.

    Raises:
        ValueError: the run has shards that are not of a pilot.
    """
    known = sum(len(part.rows) for part in plan.pilots)
    num_rows = min(num_rows, plan.num_rows)
    if num_rows <= known:
        return plan
    tars = [int(name[:-4]) for name in folder.list(plan.tars) if re.fullmatch(TAR, name)]
    is_begun = max([*committed_shards(folder), *tars], default=-1) >= count_shards(plan.pilots)
    if is_begun or len(plan.pilots) < len(plan.additions):
        has = f"a pilot of {count(known, 'row')} and more" if known else "shards but no pilot"
        raise ValueError(
            f"{folder}: the run there has {has}, and only the first shards of a run can be a "
            f"pilot; rerun the same command without --pilot to make the rest, add --dry-run to "
            f"see what that takes by the shards that are there, or give another --output"
        )
    rows = draw_rows(plan, num_rows - known)
    batch_size = plan.settings.get("batch_size", 1)
    per_shard = choose_rows_per_shard(len(rows), workers, plan.rows_per_shard, batch_size)
    if len(rows) < ENOUGH_BATCHES * batch_size * workers < plan.num_rows:
        log.warning(
            "a pilot of %s is less than %d batches of %d for each of %s, and a worker's first "
            "batch is slow: the estimates of time will be too high",
            count(len(rows), "row"),
            ENOUGH_BATCHES,
            batch_size,
            count(workers, "worker"),
        )
    return plan.add(
        kind="pilot",
        rows=format_ranges(rows.tolist()),
        # A batch that is cut short takes longer for each of its rows.
        rows_per_shard=min(max(per_shard, batch_size), plan.rows_per_shard),
        seed=SEED,
    )


def draw_rows(plan: Plan, num_rows: int) -> np.ndarray:
    """Return rows that are in no pilot yet: one at random of each of so many equal stretches, so
    that they are from all of the manifest and keep to no rhythm of its own."""
    drawn = sorted_rows(plan.pilots)
    left = RowsWithout(plan.num_rows, drawn)
    ends = np.arange(num_rows + 1) * len(left) // num_rows
    random = random_state(SEED, Stream.PILOT_ROWS, len(drawn)).random_sample(num_rows)
    return left.at(ends[:-1] + (random * np.diff(ends)).astype(int))


@dataclass(frozen=True)
class Estimate:
    """Of a mean over rows: what it was in the pilot, and the ends of its 95% interval."""

    mean: float
    low: float
    high: float

    def total(self, num_rows: int, known: float = 0.0) -> "Estimate":
        """Return the sum over so many more rows, and over some of which it is known."""
        return Estimate(*(known + num_rows * value for value in (self.mean, self.low, self.high)))

    def shown(self, form: Callable[[float], str]) -> str:
        return f"{form(self.mean)} ({form(self.low)} to {form(self.high)})"


def estimate_mean(groups: Iterable[list[float]]) -> Estimate:
    """Estimate a mean from rows that were measured in groups: those of a group are alike.

    Source: Cochran (1977), Sampling Techniques, eq. 9A.8 without its finite-population factor; for
    Student's t, Abramowitz and Stegun, eq. 26.7.5, to its first term.
    """
    pairs = [(len(values), sum(values)) for values in groups]
    sizes, sums = np.array(pairs, float).T
    mean = sums.sum() / sizes.sum()
    degrees = max(1, len(pairs) - 1)
    spread = math.sqrt(((sums - mean * sizes) ** 2).sum() / degrees * len(pairs)) / sizes.sum()
    error = (Z + (Z**3 + Z) / (4 * degrees)) * spread
    return Estimate(mean, max(0.0, mean - error), mean + error)


def estimate_share(num_failed: int, num_rows: int) -> Estimate:
    """Estimate a share by Wilson's interval (1927), which holds where none or few have failed."""
    share, weight = num_failed / num_rows, Z**2 / num_rows
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight**2 / 4) / (1 + weight)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def print_pilot(folder: Folder, plan: Plan, shards: list[ShardFacts], resources: Resources) -> None:
    """Print what the shards of a pilot took, and what all rows of the plan will take by that.

    Args:
        shards: of the pilot.
    """
    clip_s, groups = read_seconds(folder, shards)
    metadata = folder.sizes("metadata")
    sizes = [facts.tar_bytes + metadata[f"{facts.index:05d}.parquet"] for facts in shards]
    num_rows = [facts.num_rows for facts in shards]
    num_made, num_failed = sum(num_rows), sum(facts.failed for facts in shards)
    num_left = plan.num_rows - num_made
    seconds = estimate_mean(groups)
    row_bytes = estimate_mean([[size / n] * n for size, n in zip(sizes, num_rows, strict=True)])
    failed = estimate_share(num_failed, num_made).total(num_left, num_failed)
    # A worker has one GPU, or its threads.
    unit, each = ("GPU", 1) if resources.device == "cuda" else ("CPU", plan.threads)
    workers = resources.workers
    hours = seconds.total(num_left, sum(map(sum, groups)))
    shown = {
        "pilot": f"{num_made:,} of {count(plan.num_rows, 'row')} made, {num_failed:,} failed",
        "clips": describe_seconds(clip_s, plan, resources),
        "time": f"{seconds.total(num_left).shown(lambda s: format_s(s / workers))} for the other "
        f"{count(num_left, 'row')} on {count(workers, 'worker')}, without loading",
        unit: f"{hours.shown(lambda s: f'{each * s / 3600:,.3g}')} {unit} hours in all",
        "bytes": f"{row_bytes.total(num_left, sum(sizes)).shown(format_bytes)} in all",
        "failed": f"{failed.shown(lambda n: f'{n:,.0f}')} rows in all",
    }
    if peak_bytes := max(facts.peak_bytes for facts in shards):
        shown["memory"] = f"up to {format_bytes(peak_bytes)} of a worker's GPU"
    shown["resume"] = remake_command(plan)
    print("\n".join(f"{name + ':':<8}{text}" for name, text in shown.items()))
    print("In brackets: 95% intervals, as far as so many rows can tell.")


def read_seconds(folder: Folder, shards: list[ShardFacts]) -> tuple[list[float], list[list[float]]]:
    """Return the seconds of the clips, and those of all rows by batch."""
    clip_s: list[float] = []
    batches: dict[object, list[float]] = defaultdict(list)
    for facts in shards:
        for row in read_metadata(folder, facts.index, ["status", "seconds"]).to_pylist():
            # Rows of a batch have its time in equal shares; one that failed may have none.
            batches[facts.index, row["seconds"]].append(row["seconds"] or 0.0)
            if row["status"] == "ok":
                clip_s.append(row["seconds"])
    return clip_s, list(batches.values())


def describe_seconds(clip_s: list[float], plan: Plan, resources: Resources) -> str:
    if not clip_s:
        return "none, so nothing is known of their time; mend what the reasons name first"
    low, middle, high = np.quantile(clip_s, (0.05, 0.5, 0.95))
    batch = f" in batches of {plan.batch_size}" if "batch_size" in plan.settings else ""
    return (
        f"{np.mean(clip_s):.3g} s each on {resources.device}{batch}; half of them in less than "
        f"{middle:.3g} s, nine of ten in {low:.3g} to {high:.3g} s"
    )
