"""Train a video model, or an adapter for it, on shards: with Ray Train, or in this process.

All that a run writes is in its folder: the plan, checkpoints to resume from, pictures, logs, and in
the end the adapter (or the model). Ray restarts a worker that dies from the newest checkpoint; to
resume after the driver has died, rerun the same command.
"""

import logging
from dataclasses import replace

from flipsketch.corpus.dataset import TrainingClips, check_size
from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.run_folder import begin_training
from flipsketch.models.motion_adapters import choose_motion_adapter
from flipsketch.models.pinning import note_places, pin_places
from flipsketch.models.registry import NO_LORA, find_lora, find_model, frame_size, weights_bytes
from flipsketch.storage.folder import PARTIAL, open_folder
from flipsketch.training.cache_folder import make_cache
from flipsketch.training.config import check_share
from flipsketch.training.validation import read_subjects
from pipelines.execution.environment import check_environment
from pipelines.execution.executor import start
from pipelines.execution.locations import anchor, anchor_model, refuse_vanishing_output
from pipelines.training.config import TrainConfig

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> int:
    """Run the job and return its exit code: 0 or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot start, or cannot resume.
    """
    refuse_vanishing_output(config.output)
    folder = open_folder(config.output)
    if not folder.is_local:
        raise ValueError(
            f"--output {config.output}: logs grow there, which object stores do not allow, and "
            f"adapters are loaded from disks alone; give a folder on a disk that all workers see, "
            f"and copy it when the run is complete"
        )
    if config.on_device:
        config = replace(config, executor=replace(config.executor, workers=1))
    if config.executor.workers is not None:
        check_share(config.training, config.executor.workers)
    check_environment(config.executor)
    before = None if config.overwrite else read_plan(folder, trains=True)
    asked, config = config, pin_places(config, before.log if before else {})
    model_folder = find_model(config.model)
    motion_adapter = choose_motion_adapter(model_folder, config.motion_adapter)
    lora = None if config.adapter is None else find_lora(config.adapter)
    start_from = "a new adapter" if lora is None else config.adapter
    if config.training.train == "lora":
        log.info("model %s, training starts from %s", config.model, start_from)
    clips = TrainingClips(config.shards, config.reading)
    if len(clips.shards) < clips.plan.num_shards:
        raise ValueError(
            f"{config.shards}: {len(clips.shards)} of {clips.plan.num_shards} shards exist; rerun "
            f"the command that makes them to complete them"
        )
    if clips.plan.kind.makes_clips:
        log.warning(
            "%s: has clips that a model made (method %s), not drawn animations: what is trained "
            "learns from a model's own mistakes; make_shards.py makes shards of animations",
            config.shards,
            clips.plan.method,
        )
    check_size(clips, frame_size(model_folder))
    keeps_latents = config.cache_latents and not config.on_device
    if keeps_latents and (config.latent_cache or not clips.folder.is_local):
        make_cache(config.latent_cache)
    if config.validation is not None and config.validate_every:
        read_subjects(
            config.sources.of(config.validation),
            clips.rows["height"][0].as_py(),
            config.num_validation,
            config=config.sketches,
        )

    from flipsketch.models.inspection import inspect_model
    from flipsketch.training.objective import count_trained, resolve_adapter
    from pipelines.training.driver import carry_out, check_limits, plan_run, share_out

    inspect_model(model_folder, lora=lora, motion_adapter=motion_adapter)
    check_limits(config, model_folder)
    weights = model_folder, motion_adapter
    config = replace(config, training=resolve_adapter(*weights, config.training, lora))
    trained = count_trained(*weights, config.training, lora)
    resources = share_out(config, start(config.executor, weights_bytes(*weights), config.device))
    plan = plan_run(config, before, clips, model_folder, resources)
    plan = replace(plan, log=plan.log | note_places(asked, config))
    resolved = replace(
        config,
        training=replace(config.training, graphs=plan.log["graphs"]),
        shards=anchor(config.shards),
        model=anchor_model(config.model),
        lora=NO_LORA if config.adapter is None else anchor_model(config.adapter),
        motion_adapter=config.motion_adapter and anchor_model(config.motion_adapter),
        latent_cache=config.latent_cache and anchor(config.latent_cache),
        output=folder.path,
        validation=config.validation and anchor(config.validation),
        sources=config.sources.anchored(),
        dtype=plan.dtype,
        threads=plan.threads,
    )
    for part, (modules, parameters) in trained.items():
        log.info("%s: %d modules, %s parameters are trained", part, modules, f"{parameters:,}")
    with folder.locked():
        plan = begin_training(folder, plan, overwrite=config.overwrite)
        folder.sweep(PARTIAL)
        return carry_out(resolved, plan, folder, resources)
