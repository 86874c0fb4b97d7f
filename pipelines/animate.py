"""Animate a manifest: sketches and prompts in, shards of clips with Parquet metadata out.

The driver plans, lists what is missing and feeds it to makers, which load the model once and commit
each shard themselves. The same plan gives the same tars, with one worker or many, resumed or not.
"""

import functools
import logging
from dataclasses import replace

from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.passport import ROW_LICENSES
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import read_run
from flipsketch.method.methods import METHODS
from flipsketch.models.loading import Loading
from flipsketch.models.registry import (
    NO_LORA,
    find_model,
    weights_bytes,
)
from flipsketch.storage.folder import open_folder
from pipelines.animating.config import AnimateConfig
from pipelines.animating.dry_run import dry_run
from pipelines.animating.planning import (
    check_clips,
    check_loads,
    find_motion,
    note_config,
    pin_config,
    plan_run,
    settle,
    warn_of_settings,
)
from pipelines.animating.video import settle_video
from pipelines.execution.environment import check_environment
from pipelines.execution.executor import start
from pipelines.execution.locations import anchor, anchor_model, refuse_vanishing_output
from pipelines.makers.clip_columns import reserved_names, row_schema
from pipelines.makers.clip_settings import choose_kernels
from pipelines.makers.row_settings import RowKinds, find_error
from pipelines.sharding.planning import read_summary
from pipelines.sharding.run import Run

log = logging.getLogger(__name__)

ROW_TIMEOUT_S = {"cuda": 3600.0, "cpu": 86400.0}


def animate_manifest(config: AnimateConfig) -> int:
    """Run the job and return its exit code: 0, 1 (too many failed rows) or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot begin.
    """
    asked = config = settle(config)
    refuse_vanishing_output(config.output)
    folder = open_folder(config.output)
    before = None if config.overwrite else read_run(folder, ANIMATE)
    if config.dry_run:
        return dry_run(config, folder, before)
    config = pin_config(config, before)
    if config.adapter is not None:
        METHODS[config.method].find_lora(config.adapter)
    check_environment(config.executor)
    motion = f", motion adapter {config.motion_adapter}" if config.motion_adapter else ""
    log.info("model %s, adapter %s%s", config.model, config.adapter or "none", motion)
    model_folder = find_model(config.model, METHODS[config.method].list_parts(config.model))
    warn_of_settings(config, model_folder)
    config = settle_video(config, model_folder, before)
    limits = check_clips(config, model_folder)
    motion_adapter = find_motion(config, model_folder)
    if before is None:
        # What a run in the folder was planned with has been looked at before its plan was written.
        check_loads(config, model_folder)
    kinds = RowKinds(config.sampling, config.method)
    licensed = before is None or ROW_LICENSES in before.settings

    def see(row: Row) -> str | None:
        job, method = config.sampling, config.method
        if find_error(row, job, method, *limits, has_licenses=licensed) is None:
            kinds.add(row)
        return row.error

    reserved = reserved_names(config.method, before.settings if before else None)
    manifest = read_summary(config.manifest, folder, before, reserved, see)

    from flipsketch.models.kernels import read_kernels
    from pipelines.makers.clips import AnimationMaker, ClipMakerConfig
    from pipelines.makers.fitting import Trial, choose_fit

    num_bytes = weights_bytes(model_folder, motion_adapter)
    resources = start(config.executor, num_bytes, config.device)
    kernels = choose_kernels(config.kernels, None, resources.device)["kernels"]
    loading = Loading(
        model=anchor_model(config.model),
        lora=anchor_model(config.adapter) if config.adapter else NO_LORA,
        motion_adapter=config.motion_adapter and anchor_model(config.motion_adapter),
        device=resources.device,
        kernels=read_kernels(kernels),
        offload=config.offload,
        vae_slicing=config.vae_slicing,
    )
    # Graphs find weights where they were when they were recorded, which offloading moves.
    graphs = config.graphs and not config.offload
    trial = Trial(
        loading=loading,
        method=config.method,
        sampling=config.sampling,
        samplings=kinds.costliest(),
        graphs=graphs,
        dtype=config.dtype,
        batch_size=config.batch_size,
        checkpoint_gradients=config.checkpoint_gradients,
    )
    fitted = choose_fit(trial, before, model_folder, resources, config.gpu_memory_gb)

    def build_maker(plan: Plan) -> functools.partial[AnimationMaker]:
        return functools.partial(
            AnimationMaker,
            ClipMakerConfig(
                loading=replace(
                    loading,
                    dtype=plan.dtype,
                    kernels=read_kernels(plan.kernels),
                    vae_slicing=plan.vae_slicing,
                ),
                sources=config.sources.of(config.manifest),
                sampling=config.sampling,
                livesketch=replace(
                    config.livesketch, clip_model=anchor_model(config.livesketch.clip_model)
                ),
                checkpoint_gradients=fitted[1].checkpoint_gradients,
                graphs=graphs,
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
    plan = replace(plan, log=plan.log | note_config(asked, config))
    # The manifest may have moved, or be another file that begins with the same rows (--extend).
    return run.carry_out(plan, notes={"manifest": anchor(config.manifest)})
