"""Rasterize animations: SVG frames in folders, archives or a corpus of Live-Sketch in, shards to
train on out.

The driver finds the animations and joins them with their prompts into a manifest; from there on
this is a job like any other.
"""

import functools
import hashlib
import io
import json
import logging
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.animations.captions import find_caption, plain_name, read_captions
from flipsketch.animations.discovery import Animation, find_animations
from flipsketch.animations.reader import RasterConfig
from flipsketch.animations.vector_corpus import read_vector_plan
from flipsketch.corpus.kinds import RASTERIZE
from flipsketch.corpus.manifest import ManifestSummary, parse_rows, summarize_manifest
from flipsketch.corpus.passport import LICENSE, ROW_LICENSES, license_settings
from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.row import name_digest
from flipsketch.corpus.row_digests import fingerprint_rows
from flipsketch.corpus.run_folder import read_run
from flipsketch.corpus.shard import read_metadata, read_shards
from flipsketch.storage import sealed
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import MAX_CONTENT, count, describe_error, one_line
from flipsketch.storage.waiting import call_in_time
from flipsketch.svg.render import import_cairo
from pipelines.execution.environment import check_environment
from pipelines.execution.executor import start
from pipelines.execution.locations import anchor, refuse_vanishing_output
from pipelines.execution.process import command_line
from pipelines.execution.sources import SourcesConfig
from pipelines.makers.training_shards import RasterMaker
from pipelines.sharding.dry_run import format_bytes
from pipelines.sharding.planning import MIN_SHARDS_PER_WORKER, choose_rows_per_shard
from pipelines.sharding.run import Run, RunConfig

log = logging.getLogger(__name__)

# What was found, in the order in which the run has it.
ANIMATIONS_FILE = RASTERIZE.manifest
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "sketch", "prompt", LICENSE)])
# Of runs that began before rows had licenses.
EARLIER_SCHEMA = SCHEMA.remove(SCHEMA.get_field_index(LICENSE))
ROWS_PER_SHARD = 1_000
ROW_TIMEOUT_S = 300.0
# Of a frame of 256 x 256 pixels, in a filmstrip; and the frames of a Live-Sketch animation.
BYTES_PER_FRAME, USUAL_FRAMES = 4_000, 24


@dataclass(frozen=True, kw_only=True)
class RasterizeConfig(RunConfig):
    animations: str
    """Folder (or .zip, or .tar) of animations, at any depth: Live-Sketch's output
    (NAME/svg_logs/svg_step*/frame000.svg) or plain ones (NAME/frame000.svg); or a corpus that
    --method livesketch made, whose good rows are its animations."""
    captions: str | None = None
    """Table (*.tsv, *.csv, *.jsonl or *.parquet) with columns name and prompt; an animation that it
    lacks needs a prompt.txt beside its frames."""
    raster: RasterConfig = field(default_factory=RasterConfig)
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    training_workers: int = 1
    """Number of processes that will read the shards at once in training; the job warns if there are
    fewer than four shards for each."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training_workers < 1:
            raise ValueError(f"training_workers must be at least 1, got {self.training_workers}")


def make_training_shards(config: RasterizeConfig) -> int:
    """Run the job and return its exit code: 0, 1 (too many failed rows) or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot begin.
    """
    refuse_vanishing_output(config.output)
    refuse_step(config)
    folder = open_folder(config.output)
    before = None if config.overwrite else read_run(folder, RASTERIZE)
    if not config.dry_run:
        check_environment(config.executor)
    known = read_known(folder, before) if before else []
    rows = list_animations(config, known)
    if known and len(rows) > len(known) and not config.extend and not config.dry_run:
        raise ValueError(
            f"{folder}: holds a run of {len(known)} animations, and {len(rows) - len(known)} more "
            f"are there now ({one_line(rows[len(known)]['id'], MAX_CONTENT)}, ...); add --extend "
            f"to include them, or give another --output"
        )
    licensed = before is None or ROW_LICENSES in before.settings
    content = to_parquet(rows, SCHEMA if licensed else EARLIER_SCHEMA)
    with tempfile.TemporaryDirectory() as temporary:
        manifest = str(Path(temporary) / ANIMATIONS_FILE)
        Path(manifest).write_bytes(content)
        summary = summarize_animations(manifest, rows, len(known))
        if config.dry_run:
            print_plan(plan_run(config, before, summary, config.executor.workers or 1), summary)
            return 0
        resources = start(config.executor, 0, "cpu")
        plan = plan_run(config, before, summary, resources.workers)
        warn_of_differences(config, before, plan)

        def build_maker(plan: Plan) -> functools.partial[RasterMaker]:
            return functools.partial(
                RasterMaker,
                sources=config.sources.of(config.animations),
                raster=config.raster,
                plan=plan,
                folder=folder,
                row_timeout=config.row_timeout or ROW_TIMEOUT_S,
                driver=resources.driver,
            )

        run = Run(
            config,
            folder,
            manifest,
            summary,
            resources,
            build_maker,
            verb="rasterized",
            bad_row_remedy="give them other names, and add --extend",
        )
        notes = {"rows_sha256": fingerprint_rows(summary.digests)}
        return run.carry_out(plan, files={ANIMATIONS_FILE: content}, notes=notes)


def refuse_step(config: RasterizeConfig) -> None:
    """Raise ValueError if a step is to be taken from a corpus, which has no choice of them."""
    if config.raster.step is None:
        return
    try:
        read_vector_plan(open_folder(config.animations))
    # What else is there is seen when it is searched.
    except (OSError, ValueError):
        return
    raise ValueError(
        f"{config.animations}: is a corpus, which holds one step of each animation; leave out "
        f"--step"
    )


def warn_of_differences(config: RasterizeConfig, before: Plan | None, plan: Plan) -> None:
    """Say what the plan cannot refuse, or what training will not like."""
    if before is not None and before.log.get("animations") != plan.log["animations"]:
        log.warning(
            "the run began with the animations in %s, now they are taken from %s: see that they "
            "are the same, since existing shards are kept",
            before.log.get("animations"),
            plan.log["animations"],
        )
    least = MIN_SHARDS_PER_WORKER * config.training_workers
    if plan.num_shards < least:
        log.warning(
            "%s for %s: %d or more would keep all of them busy; give fewer --rows-per-shard",
            count(plan.num_shards, "shard"),
            count(config.training_workers, "training worker"),
            least,
        )


def read_known(folder: Folder, plan: Plan) -> list[dict[str, Any]]:
    """Return the animations of the run in a folder, in its order.

    Raises:
        ValueError: their table is damaged.
    """
    content = folder.read(ANIMATIONS_FILE)
    if content is None:
        return recover_known(folder, plan)
    try:
        if sealed.check_bytes(content) == "broken":
            raise ValueError("its bytes are not those that were written")
        return pq.read_table(io.BytesIO(content)).to_pylist()
    # Readers of broken files raise whatever these lead them to.
    except Exception as error:
        raise ValueError(
            f"{folder}/{ANIMATIONS_FILE}: {describe_error(error)}; jobs/status.py --corpus "
            f"{quote(folder.location)} --repair moves it aside, then rerun this command"
        ) from error


def recover_known(folder: Folder, plan: Plan) -> list[dict[str, Any]]:
    """Return the animations as the metadata have them; none if some are in no shard yet, when they
    are searched for as at the beginning, and the plan's fingerprint tells whether it is those."""
    shards, _ = read_shards(folder, plan)
    columns = ["manifest_row", "id", "animation", "prompt"]
    found = {
        row["manifest_row"]: {
            "id": row["id"],
            "sketch": row["animation"],
            "prompt": row["prompt"] or None,
        }
        for index in sorted(shards)
        for row in read_metadata(folder, index, columns).to_pylist()
    }
    log.warning("%s/%s: is gone; it is made again", folder, ANIMATIONS_FILE)
    return [found[row] for row in sorted(found)] if len(found) == plan.num_rows else []


def list_animations(config: RasterizeConfig, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return id, sketch (the location) and prompt of every animation: first those that the run has,
    in its order and under its names, then new ones.

    Raises:
        OSError: there is nothing to rasterize.
        ValueError: the same, or the captions cannot be used, or a prompt is another than the run's.
    """
    captions = read_captions(config.captions) if config.captions else {}
    # Of an animation that is the root itself, the path below it is empty.
    found = {
        animation.location or ".": caption(animation, captions)
        for animation in find_in_time(config)
    }
    if not found:
        raise ValueError(
            f"{config.animations}: has no animations; they are folders NAME/svg_logs/svg_step*/ or "
            f"NAME/ with files named frame000.svg, frame001.svg and so on"
        )
    names = {plain_name(animation.name) for animation in found.values()}
    names |= {name.rpartition("/")[2] for name in names}
    if unused := captions.keys() - names:
        log.warning(
            "%d of %d captions name no animation (%s, ...)",
            len(unused),
            len(captions),
            min(unused),
        )
    rows = [renew(row, found.pop(row["sketch"], None)) for row in known]
    taken = {row["id"] for row in rows}
    for location, animation in found.items():
        # Two may have one name: a folder, and an archive of it beside.
        name = location if animation.name in taken else animation.name
        taken.add(name)
        about = {"prompt": animation.prompt, LICENSE: animation.license}
        rows.append({"id": name, "sketch": location, **about})
    return rows


def find_in_time(config: RasterizeConfig) -> list[Animation]:
    """Return what looks like an animation; Ctrl-C gets through while a disk or server is slow."""
    sources = config.sources.of(config.animations)
    found = find_animations(config.animations, sources.local_folders, sources.timeout_s)
    return call_in_time(lambda: list(found), None, f"{config.animations}: searching")


def renew(row: dict[str, Any], animation: Animation | None) -> dict[str, Any]:
    """Return a row of the run as it is now: a prompt that it lacked may have come."""
    if animation is None:
        log.warning("%s: was found when the run began, and is missing now", row["id"])
        return row
    if row["prompt"] and animation.prompt and row["prompt"] != animation.prompt:
        raise ValueError(
            f"{row['id']}: its prompt is {animation.prompt[:80]!r} now, but {row['prompt'][:80]!r} "
            f"in the existing run; restore it, give another --output, or add --overwrite to "
            f"start again"
        )
    licensed = row.get(LICENSE) or animation.license
    return {**row, "prompt": row["prompt"] or animation.prompt, LICENSE: licensed}


def summarize_animations(
    manifest: str, rows: list[dict[str, Any]], num_known: int
) -> ManifestSummary:
    """Return what there is to know of the job's own manifest, of which the first rows were known
    before; a row stays the same when it gains a prompt."""
    return replace(
        summarize_manifest(manifest),
        fingerprint=fingerprint(rows),
        prefix_fingerprint=fingerprint(rows[:num_known]),
        digests=b"".join(map(name_digest, parse_rows(manifest))),
        digest=name_digest,
    )


def fingerprint(rows: list[dict[str, Any]]) -> str:
    """Return a hash of which animations there are; their prompts are compared one by one."""
    named = [[row["id"], row["sketch"]] for row in rows]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def to_parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    return sealed.to_parquet(pa.Table.from_pylist(rows, schema))


def caption(animation: Animation, captions: dict[str, str]) -> Animation:
    found = find_caption(captions, animation.name)
    return animation if found is None else replace(animation, prompt=found)


def plan_run(
    config: RasterizeConfig, before: Plan | None, summary: ManifestSummary, workers: int
) -> Plan:
    """Return the run's plan; settings that the user does not give come from the existing plan."""
    chosen = choose_rows_per_shard(
        summary.num_rows, max(workers, config.training_workers), ROWS_PER_SHARD
    )
    if before is not None:
        chosen = before.rows_per_shard
    settings = {
        **RASTERIZE.settings,
        "num_rows": summary.num_rows,
        "manifest_fingerprint": summary.fingerprint,
        "rows_per_shard": config.rows_per_shard or chosen,
        **asdict(config.raster),
        **license_settings(before),
    }
    notes = {
        "command": command_line(),
        "animations": anchor(config.animations),
        "captions": config.captions,
        "licence": config.license or corpus_license(config.animations) or "unknown",
        "executor": config.executor.executor,
        "workers": workers,
        "versions": {"cairo": import_cairo().cairo_version_string()},
    }
    return Plan(settings, () if config.rows_per_shard else ("rows_per_shard",), notes)


def corpus_license(animations: str) -> str | None:
    """Return the license of a corpus that is taken as animations; others do not say theirs."""
    with suppress(OSError, ValueError):
        plan = read_plan(open_folder(animations))
        return plan.licence if plan else None
    return None


def print_plan(plan: Plan, summary: ManifestSummary) -> None:
    settings = plan.settings
    clip_bytes = (settings["num_frames"] or USUAL_FRAMES) * BYTES_PER_FRAME
    clip_bytes *= (settings["size"] / 256) ** 2
    num_good = summary.num_rows - summary.num_bad
    print(f"rows:   {summary.num_rows:,}")
    print(f"shards: {plan.num_shards:,} of up to {plan.rows_per_shard:,} rows")
    print(f"bad:    {summary.num_bad:,} animations without a prompt")
    print(f"bytes:  some {format_bytes(num_good * clip_bytes)} in all")
