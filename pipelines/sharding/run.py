"""What every job that makes shards has in common: flags, resuming, retrying, the summary."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated

import tyro

from flipsketch.corpus.card import write_card
from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.parts import count_shards, format_ranges
from flipsketch.corpus.plan import UNKNOWN, Plan, note_licence, write_plan
from flipsketch.corpus.plan_document import MAX_PILOT
from flipsketch.corpus.row_digests import write_digests
from flipsketch.corpus.run_folder import begin_run, refuse_lost_folder
from flipsketch.corpus.shard import ShardFacts, lost_shards, read_shards
from flipsketch.storage.folder import PARTIAL, Folder
from flipsketch.storage.stores import hurry
from flipsketch.storage.text import count
from flipsketch.storage.waiting import check_seconds
from pipelines.execution.attempts import sweep_notes
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.executor import make_shards
from pipelines.execution.work import Maker, Resources
from pipelines.sharding.licenses import (
    check_license,
    foresee_licenses,
    list_licenses,
    log_licenses,
)
from pipelines.sharding.pilot import add_pilot, print_pilot
from pipelines.sharding.planning import missing_shards, retryable_rows, unread_rows, write_summary
from pipelines.sharding.progress import ShardProgress
from pipelines.sharding.summary import RunSummary, exceeds, parse_max_failures

log = logging.getLogger(__name__)

MAX_ROWS_PER_SHARD = 10_000


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    output: str
    """Output folder or URI: empty, or a run with the same settings to resume."""
    rows_per_shard: int | None = None
    """Rows in each shard; by default a few minutes of work, and at least four shards for each
    worker. Lower it to lose less work when a worker is killed, raise it for fewer and larger
    files."""
    max_failures: str = "0"
    """Number of failed rows (a count, or a share such as 2%) up to which the job still exits with
    0. Raise it for sketches of mixed quality."""
    row_timeout: float | None = None
    """Seconds that a row may take before it is tried alone, and then failed; a batch may take as
    many times that as it has rows. By default an hour on a GPU and a day on a CPU for clips, 5
    minutes for animations. Lower it when single rows hold up a run."""
    retry_failed: bool = False
    """Once all shards are complete, try the failed rows again, in new shards. Use it after their
    sketches were repaired."""
    extend: bool = False
    """Add the rows that the input has gained to the run in the output folder."""
    pilot: int | None = None
    """Make only so many rows now, drawn from all of the input, and print what the others will take
    by them: time, GPU or CPU hours, bytes and failures. They are the first shards of the run; the
    same command without --pilot makes the others."""
    dry_run: bool = False
    """Print rows, shards, invalid rows, bytes and time without making anything."""
    overwrite: bool = False
    """Delete what an earlier run left in the output folder, and start again."""
    license: Annotated[str | None, tyro.conf.arg(aliases=["--licence"])] = None
    """License of the corpus, which you give it by your rights in the input: for its dataset card,
    preferably as an SPDX name such as cc-by-4.0. By default unknown, and for training shards that
    of the corpus or folder that the animations are from. It may be given later, by the same command
    with this flag."""
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        check_license(self.license)
        if self.rows_per_shard is not None and not 1 <= self.rows_per_shard <= MAX_ROWS_PER_SHARD:
            raise ValueError(
                f"rows_per_shard must lie between 1 and {MAX_ROWS_PER_SHARD}, "
                f"got {self.rows_per_shard}"
            )
        if self.row_timeout is not None:
            check_seconds("row_timeout", self.row_timeout)
        if self.overwrite and (self.extend or self.retry_failed):
            raise ValueError(
                "--overwrite starts again; it goes with neither --extend nor --retry-failed"
            )
        if self.pilot is not None and not 1 <= self.pilot <= MAX_PILOT:
            raise ValueError(f"pilot must lie between 1 and {MAX_PILOT} rows, got {self.pilot}")
        if self.pilot is not None and (self.extend or self.retry_failed or self.dry_run):
            raise ValueError(
                "--pilot makes the first rows of a run; it goes with none of --extend, "
                "--retry-failed and --dry-run"
            )
        parse_max_failures(self.max_failures)


@dataclass(frozen=True)
class Run:
    """One job's input, and how it makes shards of it."""

    config: RunConfig
    folder: Folder
    manifest: str
    """Where the driver reads the rows."""
    summary: ManifestSummary
    resources: Resources
    build_maker: Callable[[Plan], Callable[[], Maker]]
    """Returns what a worker calls to get its maker; picklable."""
    verb: str
    """What is done to a row, in the past tense."""
    bad_row_remedy: str
    """What helps rows that the input itself has wrong."""

    def carry_out(
        self,
        plan: Plan,
        *,
        files: dict[str, bytes] | None = None,
        notes: dict[str, str] | None = None,
    ) -> int:
        """Start or resume a plan and make what is missing; return the exit code.

        Args:
            files: to be put beside the plan once it stands.
            notes: entries of the plan's log that may change from run to run.

        Raises:
            ValueError: another run is in the folder, or writes to it.
        """
        config, folder = self.config, self.folder
        plan = replace(plan, log={"licence": config.license or UNKNOWN, **plan.log})
        with folder.locked():
            plan = begin_run(
                folder,
                plan,
                overwrite=config.overwrite,
                prefix_fingerprint=self.summary.prefix_fingerprint if config.extend else None,
            )
            if notes and not notes.items() <= plan.log.items():
                plan = replace(plan, log={**plan.log, **notes})
                write_plan(folder, plan)
            if config.license is not None:
                plan = note_licence(folder, plan, config.license)
            if config.pilot is not None:
                plan = self.plan_pilot(plan, config.pilot)
            write_summary(folder, self.summary)
            write_digests(folder, plan, self.summary.digests)
            for name, content in (files or {}).items():
                folder.publish(name, content)
            # What is known of rows that ended their processes is kept, unless the run is no more.
            folder.sweep(PARTIAL)
            if config.overwrite:
                sweep_notes(folder, lambda index: False)
            return self.make_missing(plan)

    def make_missing(self, plan: Plan) -> int:
        """Make the shards that are not committed and sum up the run; return the exit code."""
        started = time.monotonic()
        folder = self.folder
        shards, doubts = read_shards(folder, plan, self.summary.digests)
        for doubt in doubts:
            log.warning("%s; its shard is made again", doubt)
        sweep_notes(folder, lambda index: index not in shards)
        log.info(
            "%s in %s, %d of them done; %s on %s, %s each -> %s",
            count(plan.num_rows, "row"),
            count(plan.num_shards, "shard"),
            len(shards),
            count(self.resources.workers, "worker"),
            self.resources.device,
            count(plan.threads, "thread"),
            folder,
        )
        log_licenses(plan, foresee_licenses(plan, self.summary.licenses))
        unread = unread_rows(plan, shards)
        # Rows that end a local job's process would be tried again for ever, were a retry that an
        # earlier command has begun not the one that this command asks for.
        last = plan.parts[-1]
        is_retrying = last.kind == "retry" and any(index not in shards for index in last.shards)
        is_pilot = self.config.pilot is not None
        num_rows = sum(len(part.rows) for part in plan.pilots) if is_pilot else plan.num_rows
        with ShardProgress(plan, shards, num_rows) as progress:
            try:
                self.make(plan, progress)
                tries_all = self.config.retry_failed and not is_retrying
                if (unread or tries_all) and not is_pilot:
                    self.refuse_lost_shards(plan, shards)
                    failed = retryable_rows(folder, list(shards.values()))
                    rows = failed if tries_all else sorted({*unread} & {*failed})
                    plan = self.plan_retry(plan, progress, rows)
                    self.make(plan, progress)
            except KeyboardInterrupt:
                hurry()
                try:
                    self.refuse_lost_shards(plan, shards)
                    # Workers commit some that they have no time to tell of.
                    shards |= read_shards(folder, plan, self.summary.digests)[0]
                    if shards:
                        write_card(folder, plan, list(shards.values()))
                except OSError as error:
                    log.warning("the card was not written: %s", error)
                log.warning(
                    "interrupted: %d of %s are committed and kept; "
                    "rerun the same command to resume",
                    len(shards),
                    count(plan.num_shards, "shard"),
                )
                return 130
        self.refuse_lost_shards(plan, shards)
        summary = RunSummary(
            folder,
            list(shards.values()),
            self.verb,
            self.bad_row_remedy,
            retried=self.config.retry_failed,
            is_pilot=is_pilot,
            num_unread=len(unread_rows(plan, shards)),
        )
        write_card(folder, plan, summary.facts)
        log_licenses(plan, list_licenses(plan, summary.facts))
        summary.log(seconds=time.monotonic() - started, new_clips=progress.num_new_ok)
        if is_pilot:
            pilot = [shards[index] for index in range(count_shards(plan.pilots))]
            print_pilot(folder, plan, pilot, self.resources)
        return 1 if exceeds(summary.num_failed, summary.num_rows, self.config.max_failures) else 0

    def plan_pilot(self, plan: Plan, num_rows: int) -> Plan:
        """Have the plan begin with so many rows, if it does not yet."""
        before, plan = plan, add_pilot(self.folder, plan, num_rows, self.resources.workers)
        if plan is not before:
            write_plan(self.folder, plan)
            # What is known of shards that have other rows now.
            sweep_notes(self.folder, lambda index: index < count_shards(before.pilots))
        return plan

    def refuse_lost_shards(self, plan: Plan, shards: dict[int, ShardFacts]) -> None:
        """See that the folder has what was committed; if not, the card says what is left.

        Raises:
            ValueError: files, or the folder itself, were deleted, moved or replaced.
        """
        refuse_lost_folder(self.folder, plan.fingerprint)
        lost = lost_shards(self.folder, plan, shards.values())
        if not lost:
            return
        left = [facts for facts in shards.values() if facts.index not in lost]
        write_card(self.folder, plan, left)
        raise ValueError(
            f"{self.folder}: {len(lost)} of the {len(shards)} shards that were committed are not "
            f"there any more ({format_ranges(lost)}): files in metadata/ or {plan.tars}/ were "
            f"deleted or changed while the run wrote to it; rerun the same command to make them "
            f"again"
        )

    def make(self, plan: Plan, progress: ShardProgress) -> None:
        """Make the shards of a plan that are not committed; in a pilot its own alone."""
        is_pilot = self.config.pilot is not None
        asked = range(count_shards(plan.pilots) if is_pilot else plan.num_shards)
        if all(index in progress.shards for index in asked):
            return
        missing = missing_shards(self.manifest, self.summary, plan, progress.shards, asked)
        maker = self.build_maker(plan)
        for facts in make_shards(
            self.config.executor, self.resources, maker, missing, progress.report
        ):
            progress.commit(facts)

    def plan_retry(self, plan: Plan, progress: ShardProgress, rows: list[int]) -> Plan:
        """Add rows that failed, and that are not wrong in the input itself, to the plan."""
        if not rows:
            log.info("no failed row is worth another try")
            return plan
        plan = plan.add(kind="retry", rows=format_ranges(rows))
        write_plan(self.folder, plan)
        log.info(
            "trying %s again, in %s more",
            count(len(rows), "failed row"),
            count(plan.parts[-1].num_shards, "shard"),
        )
        progress.retry(len(rows))
        return plan
