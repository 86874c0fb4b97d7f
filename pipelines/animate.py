"""Animate a manifest: sketches and prompts in, shards of clips with Parquet metadata out.

The driver plans, lists what is missing and feeds it to makers, which load the model once and commit
each shard themselves. The same plan gives the same tars, with one worker or many, resumed or not.
"""

import functools
import logging
import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.manifest import ManifestSummary, summarize_manifest
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import check_resumes, read_run, refuse_strange_files
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.clip import check_pixels
from flipsketch.media.config import SketchConfig
from flipsketch.method.config import SamplingConfig, model_defaults
from flipsketch.method.fitting import Fit
from flipsketch.method.methods import METHODS
from flipsketch.models.registry import (
    NO_LORA,
    check_hub_name,
    check_lora,
    choose_lora,
    find_embedded,
    find_model,
    fingerprint_folder,
    model_licence,
    weights_bytes,
)
from flipsketch.storage.folder import Folder, open_folder
from pipelines.check_sketches import check_rows
from pipelines.execution.environment import check_environment
from pipelines.execution.executor import start
from pipelines.execution.locations import anchor, anchor_model, refuse_vanishing_output
from pipelines.execution.process import command_line, library_versions
from pipelines.execution.sources import SourcesConfig
from pipelines.execution.work import Resources
from pipelines.makers.clip_columns import reserved_names, row_schema
from pipelines.makers.clip_settings import (
    choose_kernels,
    livesketch_settings,
    sampling_settings,
    sketch_settings,
)
from pipelines.makers.row_settings import RowKinds, find_error
from pipelines.makers.sketch_opener import SketchOpener
from pipelines.sharding.planning import ROWS_PER_SHARD, choose_rows_per_shard, read_summary
from pipelines.sharding.run import Run, RunConfig
from pipelines.sharding.summary import exceeds

log = logging.getLogger(__name__)

ROW_TIMEOUT_S = {"cuda": 3600.0, "cpu": 86400.0}


@dataclass(frozen=True, kw_only=True)
class AnimateConfig(RunConfig):
    manifest: str
    """Table of sketches and prompts, a path or a URI: *.parquet, or *.jsonl, *.ndjson, *.csv or
    *.tsv, each also with .gz."""
    model: str
    """Folder in diffusers' layout, or a name: doodle, which comes with this project, or one on the
    Hugging Face Hub (damo-vilab/text-to-video-ms-1.7b is the paper's)."""
    lora: str | None = None
    """Adapter folder (unet/ and perhaps text_encoder/, each in peft's format) or name. Default:
    doodle-lora with the model doodle, no adapter with others; none leaves it out."""
    method: str = "flipsketch"
    """Method to animate with: flipsketch; livesketch, which moves the strokes of SVG sketches and
    writes the clips as SVG too; or a baseline: t2v (the model and adapter from the prompt alone),
    still (the sketch repeated) or svd (Stable Video Diffusion, whose folder or Hub name is the
    model)."""
    sketches: SketchConfig = field(default_factory=SketchConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    livesketch: LiveSketchConfig = field(default_factory=LiveSketchConfig)
    batch_size: int | None = None
    """Rows animated together. By default as many as fit, measured on the smallest GPU, and 4 on a
    CPU and with the methods livesketch, still and svd. It changes the last digits, so a resumed run
    has the number that it began with."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of the networks; by default bfloat16 on GPUs that have it, float16 on others, and
    float32 on a CPU."""
    kernels: Literal["fast", "plain"] | None = None
    """Kernels of the networks: fast, or plain, which are diffusers' own. Clips differ in their last
    digits alone, but a resumed run must use the same. By default fast on a GPU, plain elsewhere,
    and what a run began with when it is resumed."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the networks run; by default on GPUs if there are any."""
    threads: int | None = None
    """CPU threads of each worker; by default an equal share of the machine's."""
    checkpoint_gradients: bool = False
    """Spend a third more time in alignment to save memory; clips do not change. It is turned on
    where not even one row fits without."""
    gpu_memory_gb: float | None = None
    """Memory of a GPU to plan for, in units of 10^9 bytes; by default what the smallest GPU has.
    Lower it to leave room for another program, or give it with --dry-run --device cuda to plan for
    GPUs that are not here."""
    graphs: bool = True
    """On a GPU, replay the model's passes as CUDA graphs, which are recorded in the first batches,
    rather than launch their kernels one by one; clips do not change. Turn it off if memory that
    graphs keep between batches is needed."""
    check_sketches: bool = False
    """With --dry-run: open every sketch, in processes, and print what the run would refuse and
    repair. Exits with 1 if more rows would fail than --max-failures allows."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, limit in (("batch_size", 256), ("threads", 256)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= limit:
                raise ValueError(f"{name} must lie between 1 and {limit}, got {value}")
        if self.gpu_memory_gb is not None and not 0.1 <= self.gpu_memory_gb <= 10_000:
            raise ValueError(
                f"gpu_memory_gb must lie between 0.1 and 10,000, got {self.gpu_memory_gb}"
            )
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method}")
        self.livesketch.check_method(self.method)
        if self.check_sketches and not self.dry_run:
            raise ValueError("--check-sketches is for --dry-run; give that too, or leave it out")
        if self.lora not in (None, "", NO_LORA) and not METHODS[self.method].takes_lora:
            raise ValueError(f"the method {self.method} takes no adapter; leave out --lora")

    @property
    def adapter(self) -> str | None:
        """The adapter to load, by folder or name."""
        return choose_lora(self.model, self.lora) if METHODS[self.method].takes_lora else None


def animate_manifest(config: AnimateConfig) -> int:
    """Run the job and return its exit code: 0, 1 (too many failed rows) or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot begin.
    """
    config = settle(config)
    refuse_vanishing_output(config.output)
    folder = open_folder(config.output)
    before = None if config.overwrite else read_run(folder, ANIMATE)
    if config.adapter is not None:
        check_lora(find_embedded(config.adapter))
    if config.dry_run:
        return dry_run(config, folder, before)
    check_environment(config.executor)
    log.info("model %s, adapter %s", config.model, config.adapter or "none")
    model_folder = find_model(config.model, METHODS[config.method].parts)
    size = check_clips(config, model_folder)
    if before is None:
        # What a run in the folder was planned with has been looked at before its plan was written.
        check_loads(config, model_folder)
    kinds = RowKinds(config.sampling, config.method)

    def see(row: Row) -> str | None:
        if find_error(row, config.sampling, config.method, size) is None:
            kinds.add(row)
        return row.error

    reserved = reserved_names(config.method, before.settings if before else None)
    manifest = read_summary(config.manifest, folder, before, reserved, see)

    from flipsketch.models.kernels import read_kernels
    from pipelines.makers.clips import AnimationMaker, ClipMakerConfig
    from pipelines.makers.fitting import Trial, choose_fit

    resources = start(config.executor, weights_bytes(model_folder), config.device)
    trial = Trial(
        device=resources.device,
        model=anchor_model(config.model),
        lora=anchor_model(config.adapter) if config.adapter else NO_LORA,
        method=config.method,
        sampling=config.sampling,
        samplings=kinds.costliest(),
        kernels=read_kernels(choose_kernels(config.kernels, None, resources.device)["kernels"]),
        graphs=config.graphs,
        dtype=config.dtype,
        batch_size=config.batch_size,
        checkpoint_gradients=config.checkpoint_gradients,
    )
    fitted = choose_fit(trial, before, model_folder, resources, config.gpu_memory_gb)

    def build_maker(plan: Plan) -> functools.partial[AnimationMaker]:
        return functools.partial(
            AnimationMaker,
            ClipMakerConfig(
                model=trial.model,
                lora=trial.lora,
                sources=config.sources.of(config.manifest),
                sampling=config.sampling,
                livesketch=replace(
                    config.livesketch, clip_model=anchor_model(config.livesketch.clip_model)
                ),
                device=resources.device,
                checkpoint_gradients=fitted[1].checkpoint_gradients,
                graphs=config.graphs,
                row_timeout=config.row_timeout or ROW_TIMEOUT_S[resources.device],
                driver=resources.driver,
            ),
            plan=plan,
            folder=folder,
            schema=row_schema(manifest.extra_schema, plan.settings),
        )

    run = Run(
        config,
        folder,
        config.manifest,
        manifest,
        resources,
        build_maker,
        verb="animated",
        bad_row_remedy="append them to the manifest, mended and with new ids, and add --extend",
    )
    plan = plan_run(config, before, manifest, model_folder, resources, fitted)
    # The manifest may have moved, or be another file that begins with the same rows (--extend).
    return run.carry_out(plan, notes={"manifest": anchor(config.manifest)})


def settle(config: AnimateConfig) -> AnimateConfig:
    """Return the job with settings of the sampler that its method has a use for."""
    method = METHODS[config.method]
    if unused := method.list_unused(config.sampling, model_defaults(config.model)):
        log.warning("the method %s has no use for %s", config.method, ", ".join(unused))
    return replace(config, sampling=method.settle(config.sampling))


def check_clips(config: AnimateConfig, model_folder: Path) -> int:
    """Return height and width of the clips; raise ValueError if they would be too large to read."""
    size = METHODS[config.method].frame_size(model_folder, config.livesketch.output_size)
    try:
        check_pixels(config.sampling.num_frames, size)
    except ValueError as error:
        smaller = " or --output-size" if METHODS[config.method].moves_strokes else ""
        raise ValueError(f"{error}; lower --num-frames{smaller}") from error
    return size


def check_loads(config: AnimateConfig, model_folder: Path) -> None:
    """Raise ValueError unless the model and the adapter can be loaded; no weights are read."""
    from flipsketch.models.inspection import inspect_model

    lora = find_embedded(config.adapter) if config.adapter else None
    inspect_model(model_folder, METHODS[config.method].parts, lora)
    if config.livesketch.tries > 1:
        from flipsketch.scoring.clip_model import find_scorer, inspect_scorer

        inspect_scorer(find_scorer(config.livesketch.clip_model), "CLIPModel")


def dry_run(config: AnimateConfig, folder: Folder, before: Plan | None) -> int:
    """Print what the run would make and cost."""
    from pipelines.sharding.dry_run import USUAL_SIZE, Workload, print_dry_run

    kinds = RowKinds(config.sampling, config.method)
    find_bad: Callable[[Row], str | None] = attrgetter("error")
    size = config.livesketch.output_size or USUAL_SIZE
    model = here if (here := find_embedded(config.model)).is_dir() else None
    if model is None:
        check_hub_name(config.model)
    else:
        size = check_clips(config, find_model(config.model, METHODS[config.method].parts))
        find_bad = functools.partial(
            find_error, config=config.sampling, method=config.method, size=size
        )
        if before is None:
            check_loads(config, model)
    if before is None and not config.overwrite:
        refuse_strange_files(folder)

    def see(row: Row) -> str | None:
        if (problem := find_bad(row)) is None:
            kinds.add(row)
        return problem

    num_before = before.num_rows if before else 0
    reserved = reserved_names(config.method, before.settings if before else None)
    manifest = summarize_manifest(config.manifest, reserved, num_before, see)
    if before is not None:
        refuse_another_run(config, folder, before, manifest, model)
    workload = Workload(
        model=model,
        method=config.method,
        size=size,
        kinds=kinds.sampled(),
        sampling=config.sampling,
        livesketch=config.livesketch,
        costliest=kinds.costliest(),
        num_own=kinds.num_own,
        batch_size=config.batch_size,
        rows_per_shard=config.rows_per_shard,
        workers=1 if config.executor.executor == "local" else config.executor.workers,
        device=config.device,
        dtype=config.dtype,
        kernels=config.kernels,
        checkpoint_gradients=config.checkpoint_gradients,
        gpu_memory_gb=config.gpu_memory_gb,
    )
    print_dry_run(manifest, folder, before, workload)
    if not config.check_sketches:
        return 0
    opener = SketchOpener(
        sources=config.sources.of(config.manifest),
        size=size,
        config=SketchConfig.of(sketch_settings(config.sketches, before)),
        darken=config.sampling.darken_sketch,
        livesketch=config.livesketch if METHODS[config.method].moves_strokes else None,
    )
    num_bad = check_rows(config.manifest, manifest, opener, find_bad)
    return 1 if exceeds(num_bad, manifest.num_rows, config.max_failures) else 0


def refuse_another_run(
    config: AnimateConfig,
    folder: Folder,
    before: Plan,
    manifest: ManifestSummary,
    model_folder: Path | None,
) -> None:
    """Raise ValueError, as the run would, if it is not the one in the folder.

    Args:
        model_folder: None where it is not here, and is taken to be the same.
    """
    fitted = before.dtype, Fit(before.batch_size, config.checkpoint_gradients)
    resources = Resources(1, config.device or "cpu", before.threads)
    plan = plan_run(config, before, manifest, model_folder, resources, fitted)
    prefix_fingerprint = manifest.prefix_fingerprint if config.extend else None
    check_resumes(folder, before, plan, prefix_fingerprint)


def plan_run(
    config: AnimateConfig,
    before: Plan | None,
    manifest: ManifestSummary,
    model_folder: Path | None,
    resources: Resources,
    fitted: tuple[str, Fit],
) -> Plan:
    """Return the run's plan; settings that the user does not give come from the existing plan."""
    dtype, fit = fitted
    lora = config.adapter and find_embedded(config.adapter)
    defaults = {
        "rows_per_shard": choose_rows_per_shard(
            manifest.num_rows, resources.workers, ROWS_PER_SHARD, fit.batch_size
        ),
        "batch_size": fit.batch_size,
        "dtype": dtype,
        "threads": resources.cpus_per_worker,
    }
    known = before.settings if before else {}
    chosen = [name for name in (*defaults, "kernels") if getattr(config, name) is None]
    named = {name: getattr(config, name) for name in defaults if name not in chosen}
    names = ("model_fingerprint", "model_licence")
    model: dict[str, Any] = {name: known[name] for name in names if name in known}
    if model_folder is not None:
        model = {
            "model_fingerprint": fingerprint_folder(model_folder, METHODS[config.method].parts),
            "model_licence": model_licence(model_folder),
        }
    settings = {
        **{name: known.get(name, value) for name, value in defaults.items()},
        **named,
        **choose_kernels(config.kernels, before, resources.device),
        **ANIMATE.settings,
        "num_rows": manifest.num_rows,
        "manifest_fingerprint": manifest.fingerprint,
        "extra_columns": {field.name: str(field.type) for field in manifest.extra_schema},
        "method": config.method,
        **model,
        "lora_fingerprint": fingerprint_folder(lora) if lora else None,
        **sketch_settings(config.sketches, before),
        **sampling_settings(config.sampling, before),
        **livesketch_settings(config.method, config.livesketch, before),
    }
    notes = {
        "command": command_line(),
        "manifest": anchor(config.manifest),
        "model": config.model,
        "lora": config.adapter,
        "executor": config.executor.executor,
        "workers": resources.workers,
        "device": resources.device,
        **({"clip_model": config.livesketch.clip_model} if config.livesketch.tries > 1 else {}),
        "graphs": config.graphs and resources.device == "cuda",
        "checkpoint_gradients": fit.checkpoint_gradients,
        "versions": {
            "python": platform.python_version(),
            **library_versions("torch", "diffusers"),
        },
    }
    return Plan(settings, tuple(chosen), notes)
