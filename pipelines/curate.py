"""Select clips of a scored corpus and write them as a new corpus.

Samples are copied byte for byte. The new corpus includes its scores and sketches, so it can be
viewed, scored and curated again wherever it is moved.
"""

import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flipsketch.corpus.card import write_card
from flipsketch.corpus.kinds import CURATE
from flipsketch.corpus.manifest import parse_rows, summarize_manifest
from flipsketch.corpus.plan import (
    Plan,
    manifest_of,
    note_licence,
    read_clips_plan,
)
from flipsketch.corpus.row_digests import (
    digest_of,
    fingerprint_rows,
    read_digests,
    write_digests,
)
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.shard import (
    ROW_DIGEST,
    ROW_SCHEMA,
    read_metadata,
    read_sample,
    read_shards,
    write_shard,
)
from flipsketch.media.contact_sheet import encode_png
from flipsketch.media.sketch import check_sketch
from flipsketch.report.preview import draw_preview
from flipsketch.scoring.selection import (
    best_of_each,
    parse_condition,
    parse_splits,
    rank_by,
    split_by,
)
from flipsketch.scoring.store import read_score_facts, read_scores, scored_shards, write_scores
from flipsketch.scoring.summary import MOST_COMPARED, summarize_scores, to_markdown
from flipsketch.storage.folder import PARTIAL, Folder, open_folder, resolve
from flipsketch.storage.location import split_query
from flipsketch.storage.sealed import to_parquet
from flipsketch.storage.sources import Sources, names_file
from flipsketch.storage.text import one_line
from flipsketch.storage.threads import in_threads
from pipelines.execution.process import command_line
from pipelines.execution.sources import SourcesConfig

log = logging.getLogger(__name__)

SAMPLE_FILE = "sample.png"
MANIFEST_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sketch", pa.string()),
        ("sketch_bytes", pa.binary()),
        ("prompts", pa.list_(pa.string())),
        ("seed", pa.int64()),
    ]
)
CLIPS_SHOWN = 8
MANIFEST_FILE = CURATE.manifest
SPLIT, SHARD = "split", "shard"
# The format since which metadata say in which shard a sample is.
SHARD_SINCE = 4
# What the clips of a sketch and a prompt may differ by is their seed.
GROUP = ("sketch_sha256", "prompt")


@dataclass(frozen=True, kw_only=True)
class CurateConfig:
    corpus: str
    """Folder of a corpus of clips with scores."""
    manifest: str | None = None
    """Where the corpus's manifest is now, if it has moved; it names the sketches."""
    output: str
    """Folder of the new corpus: empty, or a run with the same settings to resume."""
    keep: tuple[str, ...] = ("is_blank=false", "is_blackout=false", "is_still=false")
    """Conditions that a clip must meet, on any score or number in its metadata, such as
    s2v_consistency>=0.9. Look at the report before choosing a threshold."""
    best_by: str | None = None
    """Score by which the best clip of each sketch and prompt is kept, such as s2v_consistency; by
    default all clips are kept. Use it when a manifest has several seeds of each sketch."""
    best: Literal["highest", "lowest"] = "highest"
    """Whether the highest or the lowest score is best; lowest for warping_error, for example."""
    duplicate_cosine: float | None = 0.98
    """Cosine of two clips' features from which only one of them is kept; None keeps all."""
    splits: tuple[str, ...] = ("train=0.9", "val=0.05", "test=0.05")
    """Names and shares of the splits; all clips of a sketch go to the same one."""
    seed: int = 0
    """Seed of the splits; the same seed splits in the same way."""
    rows_per_shard: int = 1000
    """Number of clips in each shard."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    overwrite: bool = False
    """Delete what an earlier run left in the output folder, and start again."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if self.duplicate_cosine is not None and not 0 < self.duplicate_cosine <= 1:
            raise ValueError(
                f"duplicate_cosine must be more than 0 and at most 1, got {self.duplicate_cosine}"
            )
        if self.rows_per_shard < 1:
            raise ValueError(f"rows_per_shard must be at least 1, got {self.rows_per_shard}")
        parse_splits(self.splits)


def curate(config: CurateConfig) -> int:
    """Write the new corpus and return 0.

    Raises:
        ValueError: the corpus has no scores, a condition is none, or nothing is left.
        OSError: a folder cannot be read or written.
    """
    source, output = open_folder(config.corpus), open_folder(config.output)
    source_plan = read_clips_plan(source)
    if f"{output.path}/".startswith(f"{source.path}/"):
        raise ValueError(f"{output}: is the corpus itself, or in it; give another --output")
    clips = read_clips(source, source_plan)
    places, splits = choose(config, clips)
    chosen = clips.take(places)
    sources = config.sources.of(config.manifest or manifest_of(source, source_plan))
    content = write_manifest(sources, chosen.metadata)
    digests = digest_rows(content)
    settings = {
        "model_licence": source_plan.model_licence,
        "method": source_plan.method,
        **CURATE.settings,
        "num_rows": len(places),
        "splits": [[name, splits.count(name)] for name in dict.fromkeys(splits)],
        "manifest_fingerprint": fingerprint_rows(digests),
        "rows_per_shard": config.rows_per_shard,
        "source": source_plan.fingerprint,
        "scorers": clips.scorers,
        "keep": sorted(config.keep),
        "best_by": config.best_by,
        "best": config.best,
        "duplicate_cosine": config.duplicate_cosine,
        "seed": config.seed,
    }
    notes = {"corpus": source.location, "licence": source_plan.licence}
    plan = Plan(settings, log={"command": command_line(), **notes})
    with output.locked():
        plan = begin_run(output, plan, overwrite=config.overwrite)
        plan = note_licence(output, plan, source_plan.licence)
        output.sweep(PARTIAL)
        output.publish(MANIFEST_FILE, content)
        write_digests(output, plan, digests)
        copy_clips(source, output, plan, chosen, splits)
        finish(output, plan, config)
    counts = ", ".join(f"{count} {name}" for name, count in plan.splits.items())
    log.info("kept %d of %d clips (%s) -> %s", len(places), len(clips), counts, output)
    return 0


@dataclass(frozen=True)
class ScoredClips:
    """Clips that have scores, in the corpus's order."""

    metadata: pa.Table
    scores: pa.Table
    """Theirs, row by row."""
    shards: np.ndarray
    """Shard of each clip's sample."""
    scorers: str
    """Fingerprint of the checkpoints."""

    def __len__(self) -> int:
        return len(self.metadata)

    def take(self, places: list[int]) -> "ScoredClips":
        return ScoredClips(
            self.metadata.take(places),
            self.scores.take(places),
            self.shards[places],
            self.scorers,
        )

    @property
    def numbers(self) -> pa.Table:
        """Everything that a condition may be on: the scores, and the metadata's own columns."""
        own = [name for name in self.metadata.column_names if name not in self.scores.column_names]
        table = self.scores
        for name in own:
            table = table.append_column(self.metadata.schema.field(name), self.metadata[name])
        return table


def read_clips(folder: Folder, plan: Plan) -> ScoredClips:
    """Return the clips of a corpus with their scores; those that could not be scored are left out.

    Raises:
        ValueError: the corpus is not scored, or not wholly.
    """
    shards, _ = read_shards(folder, plan)
    if len(shards) < plan.num_shards:
        log.warning("%d of %d shards are there to choose from", len(shards), plan.num_shards)
    scored = set(scored_shards(folder))
    metadata, scores, places, scorers = [], [], [], set()
    for index in sorted(shards):
        if shards[index].ok == 0:
            continue
        facts = read_score_facts(folder, index) if index in scored else None
        if facts is None or facts.tar_sha256 != shards[index].tar_sha256:
            raise ValueError(
                f"{folder}: shard {index:05d} has no scores; run jobs/evaluate.py --corpus "
                f"{quote(folder.location)} first"
            )
        scorers.add(facts.scorers)
        if facts.failed:
            log.warning(
                "shard %05d: %d clips could not be scored, and are left out", index, facts.failed
            )
        own_scores = read_scores(folder, index)
        own_scores = own_scores.filter(pc.is_null(own_scores["error"]))
        rows = read_metadata(folder, index)
        position = {key: place for place, key in enumerate(rows["key"].to_pylist())}
        own = pa.array([position[key] for key in own_scores["key"].to_pylist()], pa.int64())
        metadata.append(rows.take(own))
        scores.append(own_scores)
        places += [index] * len(own_scores)
    if len(scorers) != 1:
        raise ValueError(
            f"{folder}: has {'scores of several kinds' if scorers else 'no clips'}; see "
            f"jobs/status.py, and run jobs/evaluate.py --overwrite"
        )
    table = pa.concat_tables(metadata)
    # A manifest's own columns of these names stay, under others.
    renamed = set() if plan.kind is CURATE else {SPLIT}
    if plan.format < SHARD_SINCE:
        renamed.add(SHARD)
    names = [f"manifest_{name}" if name in renamed else name for name in table.column_names]
    table = table.rename_columns(names)
    return ScoredClips(table, pa.concat_tables(scores), np.array(places), scorers.pop())


def choose(config: CurateConfig, clips: ScoredClips) -> tuple[list[int], list[str]]:
    """Return the positions of the clips to keep, split by split, and the split of each."""
    numbers = clips.numbers
    conditions = [parse_condition(text, numbers.schema) for text in config.keep]
    kept = np.ones(len(clips), bool)
    for text, condition in zip(config.keep, conditions, strict=True):
        holds = condition.mask(numbers).to_numpy()
        log.info("%s: %d of %d clips", text, int(holds.sum()), len(clips))
        kept &= holds
    places = np.flatnonzero(kept).tolist()
    ranks = np.zeros(len(clips))
    if config.best_by is not None:
        ranks = rank_by(config.best_by, numbers, highest=config.best == "highest")
        groups = list(zip(*(clips.metadata[name].to_pylist() for name in GROUP), strict=True))
        best = best_of_each([groups[place] for place in places], ranks[places].tolist())
        log.info("best of each sketch and prompt: %d of %d clips", len(best), len(places))
        places = [places[number] for number in best]
    if len(places) > MOST_COMPARED:
        log.warning("skipped the search for near-duplicates: more than %d clips", MOST_COMPARED)
    elif config.duplicate_cosine is not None and places:
        # The better of two is kept.
        places.sort(key=lambda place: -ranks[place])
        features = np.stack(clips.scores["features"].take(places).to_numpy())
        # Here, as PyTorch takes seconds to import and not every run comes to this.
        from flipsketch.scoring.duplicates import find_duplicates

        originals = find_duplicates(features, config.duplicate_cosine)
        total = len(places)
        places = sorted(places[number] for number in np.flatnonzero(originals < 0))
        log.info("no near-duplicates: %d of %d clips", len(places), total)
    if not places:
        raise ValueError(f"no clip is left of {len(clips)}; see above what each condition leaves")
    shares = parse_splits(config.splits)
    sketches = clips.metadata["sketch_sha256"].take(places).to_pylist()
    splits = split_by(sketches, shares, config.seed)
    names = list(shares)
    if empty := [name for name, share in shares.items() if share > 0 and name not in splits]:
        log.warning("too few sketches for a share of %s, which is empty", ", ".join(empty))
    order = sorted(range(len(places)), key=lambda number: names.index(splits[number]))
    return [places[number] for number in order], [splits[number] for number in order]


def write_manifest(sources: Sources, metadata: pa.Table) -> bytes:
    """Return a Parquet manifest of the clips, including the sketches that are available.

    Raises:
        ValueError: the corpus's manifest cannot be read.
    """
    clips = metadata.select(["id", "prompts", "seed", "sketch_sha256"]).to_pylist()
    wanted = {clip["id"] for clip in clips}
    sketches: dict[str, str | bytes] = {}
    lost: list[str] = []
    manifest = sources.manifest
    try:
        for row in parse_rows(manifest):
            if row.id in wanted:
                # Of those with one id the first was animated.
                sketches.setdefault(row.id, row.sketch)
    except OSError as error:
        raise ValueError(
            f"{manifest}: cannot be read ({error}); if it has moved, pass --manifest with its "
            f"new place, since it names the sketches"
        ) from error

    def read(clip: dict[str, Any]) -> dict[str, Any]:
        sha256 = clip.pop("sketch_sha256")
        source = sketches.get(clip["id"])
        try:
            if source is None:
                raise ValueError(f"{manifest} has no such row")
            content = sources.read(source)
            check_sketch(content, sha256)
        except (OSError, ValueError) as error:
            lost.append(f"{one_line(clip['id'], 80)}: {error}")
            if source is None or not names_file(source):
                return clip
            # Without options of the store, which a row cannot have.
            return {**clip, "sketch": split_query(resolve(source, manifest))[0]}
        return {**clip, "sketch_bytes": content}

    rows = in_threads(read, clips)
    if lost:
        log.warning("%d clips go without their sketches, such as %s", len(lost), min(lost))
    return to_parquet(pa.Table.from_pylist(rows, MANIFEST_SCHEMA))


def digest_rows(manifest: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MANIFEST_FILE
        path.write_bytes(manifest)
        return summarize_manifest(str(path)).digests


def copy_clips(
    source: Folder, output: Folder, plan: Plan, chosen: ScoredClips, splits: list[str]
) -> None:
    """Write the shards that are not there yet."""
    digests = read_digests(output, plan)
    assert digests is not None, "they were written a moment ago"
    done, _ = read_shards(output, plan, digests)
    scored = set(scored_shards(output))
    schema = chosen.metadata.schema
    for column in (ROW_SCHEMA.field(SHARD), pa.field(SPLIT, pa.string())):
        if column.name not in schema.names:
            schema = schema.append(column)
    for part in plan.parts:
        for shard in part.shards:
            if shard in done and shard in scored:
                continue
            places = part.rows_in(shard).tolist()
            own = chosen.take(places)
            rows = own.metadata.to_pylist()
            samples = in_threads(
                lambda pair: read_sample(source, *pair), list(zip(own.shards, rows, strict=True))
            )
            for place, row in zip(places, rows, strict=True):
                row |= {"manifest_row": place, SPLIT: splits[place]}
                row[ROW_DIGEST] = digest_of(digests, place)
            facts = write_shard(output, plan, shard, rows, samples, schema)
            scores = [
                {**score, "features": np.array(score["features"], np.float16)}
                for score in own.scores.to_pylist()
            ]
            write_scores(output, shard, scores, chosen.scorers, facts.tar_sha256)


def finish(folder: Folder, plan: Plan, config: CurateConfig) -> None:
    """Write the card, with a table of the scores and a picture of some clips."""
    shards, _ = read_shards(folder, plan)
    summary = summarize_scores(folder, sorted(shards), duplicate_cosine=None)
    picture = draw_preview(config.output, num_clips=CLIPS_SHOWN)
    folder.publish(SAMPLE_FILE, encode_png(picture))
    more = f"![Some of the clips]({SAMPLE_FILE})\n\nScores:\n\n{to_markdown(summary)}\n\n"
    write_card(folder, plan, list(shards.values()), more)
