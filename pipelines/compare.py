"""Animate one manifest in several ways, score what comes out, and put the scores in one table."""

import logging
import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import tyro

from flipsketch.cli import CANNOT_BE_DONE
from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.run_folder import read_run
from flipsketch.corpus.shard import committed_shards, read_metadata
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import SketchConfig
from flipsketch.method.config import SamplingConfig, model_defaults
from flipsketch.method.methods import METHODS
from flipsketch.method.presets import PRESETS, Preset
from flipsketch.method.video_config import VideoConfig
from flipsketch.models.registry import EMBEDDED_MODEL
from flipsketch.scoring.scores import SCORES
from flipsketch.scoring.summary import ScoreSummary
from flipsketch.storage.credentials import refuse_credentials
from flipsketch.storage.folder import Folder, open_folder, read_file
from flipsketch.storage.location import locate_below
from flipsketch.storage.sealed import to_parquet
from flipsketch.storage.text import MAX_CONTENT, one_line, quote_briefly
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.evaluate import EvaluateConfig, score_corpus
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.environment import check_environment
from pipelines.execution.sources import SourcesConfig
from pipelines.execution.work import JobError
from pipelines.sharding.licenses import check_license

log = logging.getLogger(__name__)

PUBLISHED = ("s2v_consistency", "t2v_alignment")
# What a run may say beside settings of the sampler, and of those that its method alone has.
OWN = ("name", "method", "model", "lora", "motion_adapter", "preset")
SETTINGS = tuple(field.name for field in fields(SamplingConfig))
LIVESKETCH_SETTINGS = tuple(field.name for field in fields(LiveSketchConfig))
VIDEO_SETTINGS = tuple(field.name for field in fields(VideoConfig))
# What the Markdown table shows; the Parquet one has every score.
SHOWN = {
    "s2v_consistency": "S2V consistency",
    "t2v_alignment": "T2V alignment",
    "xclip_alignment": "T2V alignment (X-CLIP)",
    "motion": "motion",
    "first_iou": "ink IoU of frame 0",
    "coloured": "grey or coloured",
}
TABLE_SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("error", pa.string()),
        *((name, pa.string()) for name in ("method", "model", "lora", "motion_adapter")),
        ("model_licence", pa.string()),
        ("size", pa.int64()),
        ("num_frames", pa.float64()),
        ("clips", pa.int64()),
        ("seconds", pa.float64()),
        *((f"{name}{suffix}", pa.float64()) for name in SCORES for suffix in ("", "_error")),
        *((f"published_{name}", pa.float64()) for name in PUBLISHED),
    ]
)


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    manifest: str
    """Table of sketches and prompts, a path or a URI: *.parquet, or *.jsonl, *.ndjson, *.csv or
    *.tsv, each also with .gz."""
    runs: str = "data/runs/paper.toml"
    """TOML file, a path or a URI, with a table [[run]] for each run: its name and, if they differ
    from the defaults, its method, model, lora, motion_adapter, preset and settings, as the flags of
    animate_manifest.py name them."""
    output: str
    """Folder of the runs' corpora and of the tables, a path or a URI."""
    model: str = EMBEDDED_MODEL
    """Model of the runs that name none."""
    lora: str | None = None
    """Adapter of the runs that name none, by folder or name. Default: doodle-lora with the model
    doodle, no adapter with others; none leaves it out."""
    motion_adapter: str | None = None
    """Motion adapter of the runs that name no model of their own, as of animate_manifest.py."""
    clip_model: str = "doodle-clip"
    """Scorer of frames: a folder with a CLIPModel, or a name on the Hugging Face Hub. The default
    knows doodles only."""
    xclip_model: str | None = None
    """Scorer of clips with their prompts: a folder with an XCLIPModel, or a name on the Hugging
    Face Hub; by default none."""
    batch_size: int | None = None
    """Rows animated together. By default as many as fit, measured on the smallest GPU for each run,
    and 4 on a CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of the networks; by default bfloat16 on GPUs that have it, float16 on others, and
    float32 on a CPU."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the networks run; by default on GPUs if there are any."""
    threads: int | None = None
    """CPU threads of each worker; by default an equal share of the machine's."""
    offload: bool = False
    """Keep the parts of a model that are not in use in the host's memory, as of
    animate_manifest.py: large models then fit smaller GPUs."""
    license: Annotated[str | None, tyro.conf.arg(aliases=["--licence"])] = None
    """License of the runs' corpora, as of animate_manifest.py; by default unknown."""
    sketches: SketchConfig = field(default_factory=SketchConfig)
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        check_license(self.license)


@dataclass(frozen=True, kw_only=True)
class NamedRun:
    name: str
    method: str = "flipsketch"
    model: str | None = None
    lora: str | None = None
    """None: as the command line has it, but for image-to-video models, which adapters of others do
    not fit; empty: no adapter."""
    motion_adapter: str | None = None
    """None: as the command line has it, if the model is its own too; empty: none."""
    preset: Preset = "exact"
    settings: dict[str, Any] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def compare(config: CompareConfig) -> int:
    """Make and score what is not there yet, write the tables, and return the exit code: 2 if a run
    could not be made, else 1 if one had bad rows.

    Raises:
        ValueError, OSError: the list of runs cannot be used.
    """
    rows, code = [], 0
    check_environment(config.executor)
    for run in read_runs(config.runs):
        log.info("run %s", run.name)
        try:
            row, own_code = carry_out(config, run)
            code = max(code, own_code)
        except (ValueError, OSError, JobError) as error:
            # A model that is not available here, or fails on all rows, does not affect other runs.
            log.warning(
                "%s: not made: %s; to make it again, delete %s, or give another --output.",
                *(run.name, error, locate_below(config.output, run.folder)),
            )
            row, code = {"run": run.name, "error": str(error)}, CANNOT_BE_DONE
        row |= {"method": run.method, "model": run.model or config.model}
        rows.append({**row, **{f"published_{name}": run.published.get(name) for name in PUBLISHED}})
    folder = open_folder(config.output)
    folder.publish("table.parquet", to_parquet(pa.Table.from_pylist(rows, TABLE_SCHEMA)))
    markdown = to_markdown(rows)
    folder.publish("table.md", markdown.encode())
    print(markdown, end="")
    log.info("%d runs -> %s/table.md and table.parquet", len(rows), folder)
    return code


def read_runs(location: str) -> list[NamedRun]:
    """Raises ValueError: where the file is wrong, and in what."""
    try:
        content = tomllib.loads(read_file(location).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{location}: not TOML: {error}") from error
    entries = content.get("run")
    if not isinstance(entries, list) or not entries or content.keys() != {"run"}:
        raise ValueError(f"{location}: must have a table [[run]] for each run, and nothing else")
    runs = [
        parse_run(f"{location}: run {number}", entry) for number, entry in enumerate(entries, 1)
    ]
    folders = [run.folder for run in runs]
    if twice := {name for name in folders if folders.count(name) > 1}:
        like = quote_briefly(min(twice))
        raise ValueError(f"{location}: two runs are named like {like}; names must differ")
    return runs


def parse_run(where: str, entry: dict[str, Any]) -> NamedRun:
    own = {name: entry[name] for name in OWN if name in entry}
    name = own.get("name", "")
    if not (all(isinstance(value, str) for value in own.values()) and re.search(r"\w", name)):
        raise ValueError(f"{where}: needs a name, and {', '.join(OWN[1:])} must be strings")
    where = f"{where} ({one_line(name, MAX_CONTENT)})"
    if own.get("preset", "exact") not in PRESETS:
        raise ValueError(
            f"{where}: preset must be one of {', '.join(PRESETS)}, "
            f"got {quote_briefly(own['preset'])}"
        )
    for value in own.values():
        refuse_credentials(value)
    published = entry.get("published", {})
    if not isinstance(published, dict) or not (
        published.keys() <= set(PUBLISHED)
        and all(isinstance(value, float) for value in published.values())
    ):
        raise ValueError(
            f"{where}: published may have {' and '.join(PUBLISHED)} alone, numbers such as 0.956"
        )
    settings = {key: entry[key] for key in entry if key not in {*own, "published"}}
    method = own.get("method", NamedRun.method)
    known = SETTINGS
    if method in METHODS and METHODS[method].moves_strokes:
        known = (*SETTINGS, *LIVESKETCH_SETTINGS)
    elif method in METHODS and METHODS[method].makes_videos:
        # By this list's names alone: of the sampler it has a use for some.
        known = (*METHODS[method].settings, *VIDEO_SETTINGS)
    if unknown := sorted(settings.keys() - set(known)):
        raise ValueError(
            f"{where}: {quote_briefly(unknown[0])} is no setting of the method {method}; there are "
            f"{', '.join(known)}"
        )
    return NamedRun(**own, settings=settings, published=published)


def carry_out(config: CompareConfig, run: NamedRun) -> tuple[dict[str, Any], int]:
    """Animate and score one run; return its row of the table, and the exit code."""
    model = run.model or config.model
    settings = settle_settings(config, run, model)
    corpus = locate_below(config.output, run.folder)
    lora = run.lora
    if run.lora is None and takes_lora(run.method):
        lora = config.lora
    motion_adapter = run.motion_adapter
    if run.motion_adapter is None and run.model is None and takes_video_model(run.method):
        motion_adapter = config.motion_adapter
    animated = animate_manifest(
        AnimateConfig(
            manifest=config.manifest,
            model=model,
            lora=lora,
            motion_adapter=motion_adapter,
            method=run.method,
            output=corpus,
            license=config.license,
            sketches=config.sketches,
            **settings,
            batch_size=config.batch_size,
            offload=config.offload,
            dtype=config.dtype,
            device=config.device,
            threads=config.threads,
            sources=config.sources,
            executor=config.executor,
        )
    )
    if animated > 1:
        raise KeyboardInterrupt
    scoring = EvaluateConfig(
        corpus=corpus,
        clip_model=config.clip_model,
        xclip_model=config.xclip_model,
        device=config.device,
        sources=config.sources,
        executor=config.executor,
    )
    summary, num_failed = score_corpus(scoring)
    return summarize(run, open_folder(corpus), summary), max(animated, num_failed and 1)


def takes_video_model(method: str) -> bool:
    return method in METHODS and METHODS[method].takes_video_model


def takes_lora(method: str) -> bool:
    """Tell whether a method takes the command line's adapter: adapters of image-to-video models are
    of one model each."""
    return method not in METHODS or (
        METHODS[method].takes_lora and not METHODS[method].makes_videos
    )


def settle_settings(config: CompareConfig, run: NamedRun, model: str) -> dict[str, Any]:
    """Return a run's settings of the sampler, of Live-Sketch and of videos, by the fields of
    AnimateConfig.

    Raises:
        ValueError: one has a value that it cannot have.
    """

    def said(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: value for name, value in run.settings.items() if name in names}

    own = said(LIVESKETCH_SETTINGS)
    if run.method in METHODS and METHODS[run.method].moves_strokes:
        # What chooses among the tries is what scores them, unless the run has it otherwise.
        own = {"clip_model": config.clip_model, **own}
    try:
        return {
            "sampling": replace(model_defaults(model, run.preset), **said(SETTINGS)),
            "livesketch": LiveSketchConfig(**own),
            "video": VideoConfig(**said(VIDEO_SETTINGS)),
        }
    except TypeError as error:
        raise ValueError(f"{run.name}: {error}") from error


def summarize(run: NamedRun, folder: Folder, summary: ScoreSummary) -> dict[str, Any]:
    columns = ["seconds", "height", "num_frames"]
    found = [read_metadata(folder, index, columns) for index in committed_shards(folder)]
    made = pa.concat_tables(found)
    seconds, heights, counts = (made[name].drop_null().to_numpy() for name in columns)
    plan = read_run(folder, ANIMATE)
    assert plan is not None
    scores = {
        f"{name}{suffix}": values and values[key]
        for name, values in summary.facts["scores"].items()
        for suffix, key in (("", "mean"), ("_error", "standard_error"))
    }
    return {
        "run": run.name,
        "error": None,
        "clips": summary.facts["num_clips"] - summary.facts["num_failed"],
        "seconds": float(np.mean(seconds)) if len(seconds) else None,
        **{name: plan.log.get(name) for name in ("lora", "motion_adapter")},
        "model_licence": plan.settings.get("model_licence"),
        "size": int(heights[0]) if len(heights) else None,
        "num_frames": float(np.mean(counts)) if len(counts) else None,
        **scores,
    }


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """Return a table of the existing scores: mean and standard error, and beside those what
    was published, in brackets."""
    shown = [name for name in SHOWN if any(row.get(name) is not None for row in rows)]
    titles = ["run", *(SHOWN[name] for name in shown), "seconds per clip", "clips"]
    titles += ["pixels", "model", "license of the model"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = [row["run"], *(format_score(row, name) for name in shown)]
        if row["error"] is None:
            cells += [f"{row['seconds'] or 0:.2f}", str(row["clips"])]
        else:
            cells += ["not made", "0"]
        cells += [str(row.get("size") or "-"), name_model(row), row.get("model_licence") or "-"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def name_model(row: dict[str, Any]) -> str:
    """Return a model's name for others to read: of a folder here that is its own name alone."""
    model = row["model"]
    return one_line(Path(model).name if Path(model).is_dir() else model, MAX_CONTENT)


def format_score(row: dict[str, Any], name: str) -> str:
    mean, published = row.get(name), row.get(f"published_{name}")
    error = row.get(f"{name}_error")
    own = "-" if mean is None else f"{mean:.4f}"
    own += "" if error is None else f" ± {error:.4f}"
    return own if published is None else f"{own} ({published:.3f})"
