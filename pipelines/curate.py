"""Select clips of a scored corpus and write them as a new corpus.

Samples are copied byte for byte. The new corpus includes its scores and sketches, so it can be
viewed, scored and curated again wherever it is moved.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Annotated

import numpy as np
import pyarrow as pa
import tyro

from flipsketch.corpus.card import write_card
from flipsketch.corpus.curated_manifest import digest_rows, write_manifest
from flipsketch.corpus.kinds import CURATE
from flipsketch.corpus.passport import (
    SCORER,
    SCORER_LICENSE,
    join_licenses,
    name_licenses,
    take_licenses,
)
from flipsketch.corpus.plan import Plan, manifest_of, note_licence, read_clips_plan
from flipsketch.corpus.row_digests import (
    digest_of,
    fingerprint_rows,
    read_digests,
    write_digests,
)
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.shard import ROW_DIGEST, ROW_SCHEMA, read_sample, read_shards, write_shard
from flipsketch.corpus.terms_table import PartLicense
from flipsketch.media.contact_sheet import encode_png
from flipsketch.report.preview import draw_preview
from flipsketch.scoring.allowing import list_licenses
from flipsketch.scoring.choice import Choice, choose
from flipsketch.scoring.scored_clips import SHARD, SPLIT, ScoredClips, read_clips
from flipsketch.scoring.store import scored_shards, write_scores
from flipsketch.scoring.summary import summarize_scores, to_markdown
from flipsketch.storage.folder import PARTIAL, Folder, open_folder
from flipsketch.storage.threads import in_threads
from pipelines.execution.process import command_line
from pipelines.execution.sources import SourcesConfig
from pipelines.sharding.licenses import check_license

log = logging.getLogger(__name__)

SAMPLE_FILE = "sample.png"
CLIPS_SHOWN = 8
MANIFEST_FILE = CURATE.manifest


@dataclass(frozen=True, kw_only=True)
class CurateConfig(Choice):
    corpus: str
    """Folder of a corpus of clips with scores."""
    manifest: str | None = None
    """Where the corpus's manifest is now, if it has moved; it names the sketches."""
    output: str
    """Folder of the new corpus: empty, or a run with the same settings to resume."""
    rows_per_shard: int = 1000
    """Number of clips in each shard."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    license: Annotated[str | None, tyro.conf.arg(aliases=["--licence"])] = None
    """License of the new corpus, and of sketches whose rows name none; by default that of the
    corpus that the clips are from."""
    overwrite: bool = False
    """Delete what an earlier run left in the output folder, and start again."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_license(self.license)
        if self.rows_per_shard < 1:
            raise ValueError(f"rows_per_shard must be at least 1, got {self.rows_per_shard}")


def curate(config: CurateConfig) -> int:
    """Write the new corpus and return 0.

    Raises:
        ValueError: the corpus has no scores, a condition is none, or nothing is left.
        OSError: a folder cannot be read or written.
    """
    source, output = open_folder(config.corpus), open_folder(config.output)
    source_plan = read_clips_plan(source)
    if config.license is not None:
        source_plan = replace(source_plan, log={**source_plan.log, "licence": config.license})
    if f"{output.path}/".startswith(f"{source.path}/"):
        raise ValueError(f"{output}: is the corpus itself, or in it; give another --output")
    clips = read_clips(source, source_plan)
    places, splits = choose(config, clips, source_plan)
    chosen = clips.take(places)
    sources = config.sources.of(config.manifest or manifest_of(source, source_plan))
    licenses = Counter(chain(*list_licenses(chosen, source_plan)))
    content = write_manifest(sources, chosen.metadata, source_plan)
    digests = digest_rows(content)
    settings = {
        **take_licenses(source_plan),
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
        **({"allow": sorted({*config.allow})} if config.allow else {}),
        "best_by": config.best_by,
        "best": config.best,
        "duplicate_cosine": config.duplicate_cosine,
        "seed": config.seed,
    }
    notes = {"corpus": source.location, "licence": source_plan.licence}
    notes[SCORER_LICENSE] = join_licenses(text for part, text in licenses if part == SCORER)
    plan = Plan(settings, log={"command": command_line(), **notes})
    with output.locked():
        plan = begin_run(output, plan, overwrite=config.overwrite)
        plan = note_licence(output, plan, source_plan.licence)
        output.sweep(PARTIAL)
        output.publish(MANIFEST_FILE, content)
        write_digests(output, plan, digests)
        copy_clips(source, output, plan, chosen, splits)
        finish(output, plan, config, licenses)
    counts = ", ".join(f"{count} {name}" for name, count in plan.splits.items())
    log.info("kept %d of %d clips (%s) -> %s", len(places), len(clips), counts, output)
    return 0


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
            name_licenses(rows, plan)
            facts = write_shard(output, plan, shard, rows, samples, schema)
            scores = [
                {**score, "features": np.array(score["features"], np.float16)}
                for score in own.scores.to_pylist()
            ]
            write_scores(output, shard, scores, chosen.scorers, facts.tar_sha256)


def finish(
    folder: Folder, plan: Plan, config: CurateConfig, licenses: Mapping[PartLicense, int]
) -> None:
    """Write the card, with a table of the scores and a picture of some clips.

    Args:
        licenses: number of clips by part and license.
    """
    shards, _ = read_shards(folder, plan)
    summary = summarize_scores(folder, sorted(shards), duplicate_cosine=None)
    picture = draw_preview(config.output, num_clips=CLIPS_SHOWN)
    folder.publish(SAMPLE_FILE, encode_png(picture))
    more = f"![Some of the clips]({SAMPLE_FILE})\n\nScores:\n\n{to_markdown(summary)}\n\n"
    write_card(folder, plan, list(shards.values()), more, licenses)
