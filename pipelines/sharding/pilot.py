"""A pilot: some rows from all of a manifest, made first, and what they say of the rest."""

import logging
import re
from collections import defaultdict

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
from pipelines.sharding.estimates import estimate_mean, estimate_share, read_sizes
from pipelines.sharding.planning import choose_rows_per_shard

log = logging.getLogger(__name__)

SEED = 0
# Of each worker; its first batch has a start-up in it that the others do not have.
ENOUGH_BATCHES = 4
# Fewer have no quantiles to speak of.
FEW_CLIPS = 20


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


def print_pilot(folder: Folder, plan: Plan, shards: list[ShardFacts], resources: Resources) -> None:
    """Print what the shards of a pilot took, and what all rows of the plan will take by that.

    Args:
        shards: of the pilot.
    """
    num_made, num_failed = sum(facts.num_rows for facts in shards), sum(f.failed for f in shards)
    num_left = plan.num_rows - num_made
    shown = {"pilot": f"{num_made:,} of {count(plan.num_rows, 'row')} made, {num_failed:,} failed"}
    estimates = [estimate_share(num_failed, num_made).total(num_left, num_failed)]
    unit = "GPU" if resources.device == "cuda" else "CPU"
    if num_failed == num_made:
        shown["clips"] = "none; mend what the reasons name first"
        shown |= dict.fromkeys(("time", unit, "bytes"), "not known, since no clip was made")
    else:
        batches = read_seconds(folder, shards)
        num_good = estimate_share(num_made - num_failed, num_made).total(num_left)
        clip_s = estimate_mean(batches)
        left_s = clip_s.total(num_good)
        all_s = clip_s.total(num_good, sum(map(sum, batches)))
        # A worker has one GPU, or its threads.
        hours = (1 if unit == "GPU" else plan.threads) / 3600
        metadata = folder.sizes("metadata")
        all_bytes = read_sizes(folder, shards).total(
            num_left,
            num_good,
            plan.num_shards - len(shards),
            sum(facts.tar_bytes + metadata[f"{facts.index:05d}.parquet"] for facts in shards),
        )
        estimates += [left_s, all_bytes]
        workers = resources.workers
        shown |= {
            "clips": describe_seconds(batches, plan, resources),
            "time": f"{left_s.shown(lambda s: format_s(s / workers))} for the other "
            f"{count(num_left, 'row')} on {count(workers, 'worker')}, without loading and what "
            f"failed rows take",
            unit: f"{all_s.shown(lambda s: f'{s * hours:,.3g}')} {unit} hours in all",
            "bytes": f"{all_bytes.shown(format_bytes)} in all, tars and Parquet",
        }
    shown["failed"] = f"{estimates[0].shown(lambda n: f'{n:,.0f}')} rows in all"
    if peak_bytes := max(facts.peak_bytes for facts in shards):
        shown["memory"] = f"up to {format_bytes(peak_bytes)} of a worker's GPU"
    if num_left:
        shown["resume"] = remake_command(plan)
    print("\n".join(f"{name + ':':<8}{text}" for name, text in shown.items()))
    print("In brackets: 95% intervals, as far as so many rows can tell.")
    if not all(estimate.has_interval for estimate in estimates):
        print("Unknown: it takes two batches or more, and two clips; give a larger --pilot.")


def read_seconds(folder: Folder, shards: list[ShardFacts]) -> list[list[float]]:
    """Return the seconds of the clips by batch; of rows that failed none are noted."""
    batches: dict[object, list[float]] = defaultdict(list)
    for facts in shards:
        for row in read_metadata(folder, facts.index, ["status", "seconds"]).to_pylist():
            # Rows of a batch have its time in equal shares.
            if row["status"] == "ok":
                batches[facts.index, row["seconds"]].append(row["seconds"])
    return list(batches.values())


def describe_seconds(batches: list[list[float]], plan: Plan, resources: Resources) -> str:
    clip_s = np.concatenate(batches)
    sizes = sorted({len(batch) for batch in batches})
    size = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else f"{sizes[0]}"
    batch = f" in batches of {size}" if "batch_size" in plan.settings else ""
    each = f"{clip_s.mean():.3g} s each on {resources.device}{batch}"
    if len(clip_s) < FEW_CLIPS:
        return f"{each}; {clip_s.min():.3g} to {clip_s.max():.3g} s"
    low, middle, high = np.quantile(clip_s, (0.05, 0.5, 0.95))
    most = f"nine of ten in {low:.3g} to {high:.3g} s"
    return f"{each}; half of them in less than {middle:.3g} s, {most}"
