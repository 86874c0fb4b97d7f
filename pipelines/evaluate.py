"""Score a corpus: Parquet files of scores beside its metadata, and how it fares as a whole."""

import functools
import logging
import time
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.plan import Plan, manifest_of, read_clips_plan
from flipsketch.corpus.reasons import FailedRow, group_failures
from flipsketch.corpus.shard import ShardFacts, read_shards
from flipsketch.models.pinning import pin_places
from flipsketch.scoring.store import (
    ScoreFacts,
    read_score_facts,
    read_scores,
    scored_shards,
    scores_name,
    write_score_summary,
)
from flipsketch.scoring.summary import ScoreSummary, summarize_scores, to_markdown
from flipsketch.storage.folder import PARTIAL, Folder, open_folder
from flipsketch.storage.text import count
from flipsketch.storage.threads import in_threads
from pipelines.execution.attempts import SCORES, sweep_notes
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.environment import check_environment
from pipelines.execution.executor import make_shards, start
from pipelines.execution.locations import anchor_model
from pipelines.execution.progress import ProgressBar
from pipelines.execution.sources import SourcesConfig
from pipelines.sharding.planning import missing_shards, read_summary
from pipelines.sharding.summary import REASONS_SHOWN

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    corpus: str
    """Folder of a corpus that the animate job wrote."""
    manifest: str | None = None
    """Where the corpus's manifest is now, if it has moved; it names the sketches."""
    clip_model: str = "doodle-clip"
    """Scorer of frames: a folder with a CLIPModel, or a name on the Hugging Face Hub. The default
    knows doodles only; use openai/clip-vit-large-patch14 or another for other drawings."""
    xclip_model: str | None = None
    """Scorer of clips with their prompts: a folder with an XCLIPModel, or a name on the Hugging
    Face Hub, such as microsoft/xclip-base-patch32; by default none."""
    duplicate_cosine: float = 0.98
    """Cosine of two clips' features from which they count as near-duplicates."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the scorers run; by default on GPUs if there are any."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    overwrite: bool = False
    """Delete existing scores by other scorers, and start again."""
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        if not 0 < self.duplicate_cosine <= 1:
            raise ValueError(
                f"duplicate_cosine must be more than 0 and at most 1, got {self.duplicate_cosine}"
            )


def evaluate(config: EvaluateConfig) -> int:
    """Score a corpus, print a summary, and return 0, or 1 if some clips could not be scored.

    Raises:
        ValueError, OSError: there is no such corpus, manifest or scorer.
    """
    summary, num_failed = score_corpus(config)
    print(to_markdown(summary))
    return 1 if num_failed else 0


def score_corpus(config: EvaluateConfig) -> tuple[ScoreSummary, int]:
    """Score what is not scored yet and sum up all; return also how many clips have no scores."""
    folder = open_folder(config.corpus)
    plan = read_clips_plan(folder)
    check_environment(config.executor)
    config = pin_places(config, {})
    manifest = config.manifest or manifest_of(folder, plan)
    summary = find_manifest(manifest, folder, plan)

    from flipsketch.scoring.evaluation import fingerprint_scorers, inspect_scorers
    from pipelines.makers.scores import ScoreMaker, ScoreMakerConfig

    fingerprint = fingerprint_scorers(config.clip_model, config.xclip_model)
    inspect_scorers(config.clip_model, config.xclip_model)
    shards, _ = read_shards(folder, plan)
    if len(shards) < plan.num_shards:
        log.warning(
            "%d of %d shards are there; the others can be scored once they are made",
            len(shards),
            plan.num_shards,
        )
    # A separate lock: a corpus can be scored while more of it is made.
    with folder.below("scores").locked():
        folder.sweep(f"scores-{PARTIAL}")
        done = find_scored(folder, shards, fingerprint, config.overwrite)
        sweep_notes(folder, lambda index: index not in done and not config.overwrite, SCORES)
        missing = shards.keys() - done.keys()
        if missing:
            resources = start(config.executor, weights_bytes(config), config.device)
            maker = functools.partial(
                ScoreMaker,
                ScoreMakerConfig(
                    sources=config.sources.of(manifest),
                    clip_model=anchor_model(config.clip_model),
                    xclip_model=config.xclip_model and anchor_model(config.xclip_model),
                    device=resources.device,
                    threads=resources.cpus_per_worker,
                    fingerprint=fingerprint,
                    driver=resources.driver,
                ),
                folder=folder,
            )
            # Those that the run itself has yet to make are none of ours.
            others = set(range(plan.num_shards)) - missing
            rows = missing_shards(manifest, summary, plan, others)
            started = time.monotonic()
            num_clips = sum(shards[index].ok for index in missing)
            with ProgressBar(num_clips, unit="clip") as bar:
                counts: dict[int, int] = {}

                def report(index: int, num_ok: int, num_failed: int) -> None:
                    # A shard that starts over takes its clips back.
                    counts[index] = num_ok + num_failed
                    bar.show(sum(counts.values()))

                for facts in make_shards(config.executor, resources, maker, rows, report):
                    done[facts.index] = facts
            log.info("scored %d shards in %.0f s", len(missing), time.monotonic() - started)
        summed_up = summarize_scores(folder, sorted(done), config.duplicate_cosine)
        write_score_summary(folder, summed_up.facts, summed_up.prompts)
    return summed_up, report_failures(folder, list(done.values()))


def find_manifest(manifest: str, folder: Folder, plan: Plan) -> ManifestSummary:
    """Return what there is to know of the manifest that the corpus was made of.

    Raises:
        ValueError: it is missing, or has changed.
    """
    remedy = f"pass --manifest with the manifest that {folder} was made from"
    try:
        # One that has gained rows since still has the corpus's.
        summary = read_summary(manifest, folder, plan, [])
    except OSError as error:
        raise ValueError(f"{manifest}: cannot be read ({error}); {remedy}") from error
    if plan.manifest_fingerprint not in (summary.fingerprint, summary.prefix_fingerprint):
        raise ValueError(f"{manifest}: its rows are not those of the corpus; {remedy}")
    return summary


def find_scored(
    folder: Folder, shards: dict[int, ShardFacts], fingerprint: str, overwrite: bool
) -> dict[int, ScoreFacts]:
    """Return what is scored already, by shard; shards with clips that could not be scored, for a
    sketch that was gone, say, are not.

    Raises:
        ValueError: by other scorers.
    """
    found = {}
    for facts in in_threads(functools.partial(read_known, folder), scored_shards(folder)):
        shard = shards.get(facts.index) if facts else None
        # Scores of an earlier corpus in the same folder count for nothing.
        if facts is None or shard is None or facts.tar_sha256 != shard.tar_sha256:
            continue
        if facts.scorers == fingerprint:
            if not facts.failed:
                found[facts.index] = facts
        elif not overwrite:
            raise ValueError(
                f"{folder}/{scores_name(facts.index)}: has scores by other checkpoints or of "
                f"another version, and scores of two kinds do not mix; give the same --clip-model "
                f"and --xclip-model, or add --overwrite to score everything again"
            )
    return found


def read_known(folder: Folder, index: int) -> ScoreFacts | None:
    try:
        return read_score_facts(folder, index)
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        log.warning(
            "%s/%s: not readable (%s); the shard is scored again", folder, scores_name(index), error
        )
        return None


def weights_bytes(config: EvaluateConfig) -> int:
    from flipsketch.scoring.clip_model import find_scorer

    folders = [find_scorer(name) for name in (config.clip_model, config.xclip_model) if name]
    kinds = ("*.safetensors", "*.bin")
    files = [path for folder in folders for kind in kinds for path in folder.glob(kind)]
    return sum(path.stat().st_size for path in files)


def report_failures(folder: Folder, facts: list[ScoreFacts]) -> int:
    """Say what could not be scored and why; return how many clips."""
    num_failed = sum(one.failed for one in facts)
    num_clips = sum(one.num_rows for one in facts)
    failed = [
        FailedRow(None, row["id"], None, row["error"])
        for one in facts
        if one.failed
        for row in read_scores(folder, one.index, ["id", "error"]).to_pylist()
        if row["error"] is not None
    ]
    for group in group_failures(failed)[:REASONS_SHOWN]:
        log.warning("not scored, %s: %s", count(group.num_rows, "clip"), group.with_example)
    log.info("scored %d of %d clips -> %s/scores", num_clips - num_failed, num_clips, folder)
    return num_failed
