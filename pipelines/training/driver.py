"""The driver of a training run: its plan, the latents, the steps, the card."""

import functools
import hashlib
import logging
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from flipsketch.corpus.dataset import TrainingClips
from flipsketch.corpus.kinds import TRAIN
from flipsketch.corpus.licenses import all_licenses
from flipsketch.corpus.passport import join_licenses
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.terms_table import count_licenses
from flipsketch.method.limits import read_limits
from flipsketch.models.cards import read_statements
from flipsketch.models.kernels import PLAIN, read_kernels, training_kernels
from flipsketch.models.motion_adapters import choose_motion_adapter, fingerprint_motion
from flipsketch.models.registry import find_lora, find_model, fingerprint_folder, frame_size
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import count
from flipsketch.training.checkpoints import checkpoint_steps, load_newest
from flipsketch.training.first_frames import NUM_INVERSION_STEPS
from flipsketch.training.latent_cache import open_latents
from flipsketch.training.model_card import describe_restrictions, write_training_card
from flipsketch.training.reports import StepReport
from pipelines.execution.executor import make_shards
from pipelines.execution.process import command_line, library_versions
from pipelines.execution.work import Resources, Shard
from pipelines.makers.latents import LatentMaker
from pipelines.training.config import TrainConfig
from pipelines.training.progress import TrainingProgress
from pipelines.training.worker import TrainingWorker

log = logging.getLogger(__name__)


def check_limits(config: TrainConfig, model_folder: Path) -> None:
    """Raise ValueError for what the model cannot be asked for."""
    limits = read_limits(model_folder, choose_motion_adapter(model_folder, config.motion_adapter))
    limits.check_frames(config.training.num_frames)
    if said := limits.describe_frames(config.training.num_frames):
        log.info(said)
    num_inversion_steps = max(NUM_INVERSION_STEPS)
    if config.training.inverted_first_frame > 0 and num_inversion_steps > limits.num_timesteps:
        raise ValueError(
            f"--inverted-first-frame inverts in up to {num_inversion_steps} steps, but the model's "
            f"noise schedule has {limits.num_timesteps} timesteps; leave it out"
        )
    if config.validate_every:
        limits.check_inversion()
        limits.check_steps(config.validation_sampling.num_inference_steps, "--validation-steps")


def share_out(config: TrainConfig, resources: Resources) -> Resources:
    """Return the resources with as many workers as can share the global batch evenly, unless the
    user gave their number."""
    if config.executor.workers is not None:
        return resources
    training = config.training
    num_batches = training.global_batch_size // training.batch_size
    workers = max(number for number in range(1, resources.workers + 1) if num_batches % number == 0)
    threads = resources.cpus_per_worker * resources.workers // workers
    return replace(resources, workers=workers, cpus_per_worker=threads)


def plan_run(
    config: TrainConfig,
    before: Plan | None,
    clips: TrainingClips,
    model_folder: Path,
    resources: Resources,
) -> Plan:
    """Return the run's plan; settings that the user does not give come from the existing plan."""
    defaults = {
        "dtype": "bfloat16" if resources.device == "cuda" else "float32",
        "threads": resources.cpus_per_worker,
    }
    known = before.settings if before else {}
    chosen = [name for name in (*defaults, "kernels") if getattr(config, name) is None]
    kernels = choose_kernels(config.kernels, before, resources.device)
    lora = find_lora(config.adapter) if config.adapter else None
    motion_adapter = choose_motion_adapter(model_folder, config.motion_adapter)
    tars = [f"{index} {facts.tar_sha256}\n" for index, facts in sorted(clips.shards.items())]
    training = asdict(config.training)
    # How a step is computed; like the number of workers these may change.
    batch_size, graphs = training.pop("batch_size"), training.pop("graphs")
    if graphs is None:
        # One that an earlier version began goes on kernel by kernel, as it did.
        graphs = resources.device == "cuda" and bool(kernels)
    # Plans outlive flags: these two keep the names of the first runs.
    training["method"] = training.pop("train")
    training["sketch_in_noise"] = training.pop("signal_leak_prob")
    fingerprint = fingerprint_folder(model_folder)
    is_same = known.get("model_fingerprint") == fingerprint and "model_licence" in known
    stated = config.model_license
    licence = (
        known["model_licence"]
        if is_same and not stated
        else all_licenses(*read_statements(model_folder, stated))
    )
    settings = {
        **{name: known.get(name, value) for name, value in defaults.items()},
        **{name: getattr(config, name) for name in defaults if name not in chosen},
        **kernels,
        **TRAIN.settings,
        "num_clips": len(clips),
        "shards_fingerprint": hashlib.sha256("".join(tars).encode()).hexdigest(),
        "model_fingerprint": fingerprint,
        # Of the same weights a run keeps what their card said when it began.
        "model_licence": licence,
        "lora_fingerprint": fingerprint_folder(lora) if lora else None,
        **({"motion_fingerprint": fingerprint_motion(motion_adapter)} if motion_adapter else {}),
        "cache_latents": config.cache_latents,
        "on_device": config.on_device,
        **training,
    }
    notes = {
        "command": command_line(),
        "shards": config.shards,
        **note_licenses(clips, lora, motion_adapter),
        "model": config.model,
        "lora": config.adapter,
        **({"motion_adapter": config.motion_adapter} if config.motion_adapter else {}),
        "executor": config.executor.executor,
        "workers": resources.workers,
        "device": resources.device,
        "batch_size": batch_size,
        "graphs": graphs,
        "versions": {
            "python": platform.python_version(),
            **library_versions("torch", "diffusers", "peft"),
        },
    }
    return Plan(settings, tuple(chosen), notes)


def note_licenses(
    clips: TrainingClips, lora: Path | None, motion_adapter: Path | None
) -> dict[str, str]:
    """Return the licenses of all that training begins with but the model, as its log has them."""
    # Those of the clips, and of what made them, if they are no drawings.
    licenses = count_licenses(clips.plan, clips.shards.values())
    notes = {"data_licence": join_licenses(text for _, text in licenses)}
    if lora is not None:
        notes["lora_licence"] = all_licenses(*read_statements(lora))
    if motion_adapter is not None:
        notes["motion_licence"] = all_licenses(*read_statements(motion_adapter))
    return notes


def choose_kernels(
    asked: Literal["fast", "plain"] | None, before: Plan | None, device: str
) -> dict[str, dict[str, Any]]:
    """Return the plan's setting of kernels; a plan from before there were any has none."""
    fast, chosen = training_kernels("cuda"), training_kernels(device)
    kernels = {"fast": fast, "plain": PLAIN, None: chosen}[asked]
    if before is not None and (asked is None or read_kernels(before.kernels) == kernels):
        return {} if before.kernels is None else {"kernels": before.kernels}
    return {"kernels": asdict(kernels)}


def carry_out(config: TrainConfig, plan: Plan, folder: Folder, resources: Resources) -> int:
    """Do the steps that are left and write the card; return the exit code."""
    started = time.monotonic()
    num_before, num_steps = load_newest(folder)[0], config.training.num_steps
    log.info(
        "%s, %d of %s done; %s on %s, %s each -> %s",
        count(plan.num_clips, "clip"),
        num_before,
        count(num_steps, "step"),
        count(resources.workers, "worker"),
        resources.device,
        count(config.threads or 1, "thread"),
        folder,
    )
    for restriction in describe_restrictions(plan):
        log.warning(restriction)
    clips_per_step = config.training.global_batch_size
    try:
        if num_before == num_steps and config.result_folder.exists():
            log.info("the run is complete; %s is unchanged", config.result_folder)
        else:
            train_all(config, resources, num_before)
    except KeyboardInterrupt:
        newest = max(checkpoint_steps(folder), default=0)
        what = f"the checkpoint after step {newest} is kept" if newest else "no step is saved yet"
        log.warning("interrupted: %s; rerun the same command to resume", what)
        return 130
    except FloatingPointError as error:
        raise ValueError(str(error)) from error
    _, state = load_newest(folder)
    assert state is not None, "the last step is saved"
    history = [StepReport(*report) for report in state["history"]]
    write_training_card(folder, plan, history)
    seconds = time.monotonic() - started
    num_clips = (num_steps - num_before) * clips_per_step
    with suppress(OSError):
        os.rmdir(folder.join("_tmp"))
    log.info(
        "trained %s, %d of them in this run in %.0f s, %.1f clips/s; loss %.4f -> %s",
        count(num_steps, "step"),
        num_steps - num_before,
        seconds,
        num_clips / seconds,
        np.mean([report.loss for report in history[-max(1, num_steps // 10) :]]),
        folder,
    )
    return 0


def train_all(config: TrainConfig, resources: Resources, num_before: int) -> None:
    if config.cache_latents and not config.on_device:
        make_latents(config, resources)
    training = config.training
    with TrainingProgress(num_before, training.num_steps, training.global_batch_size) as progress:
        if config.executor.executor == "local":
            TrainingWorker(config, resources.device).run(progress.report)
        else:
            from pipelines.training.ray_train import train_on_ray

            train_on_ray(config, resources, progress.report)


def make_latents(config: TrainConfig, resources: Resources) -> None:
    """Encode the clips of the shards whose latents are not there."""
    clips = TrainingClips(config.shards, config.reading)
    assert config.dtype and config.threads, "the driver resolves them"
    size = frame_size(find_model(config.model))
    latents = open_latents(clips, config.model, size, config.dtype, config.latent_cache)
    # Into a cache, of which each machine may have one, the workers encode.
    missing = latents.missing() if latents.is_beside else []
    if not missing:
        return
    log.info("latents of %d shards are to be made first", len(missing))
    maker = functools.partial(
        LatentMaker,
        shards=config.shards,
        reading=config.reading,
        model=config.model,
        motion_adapter=config.motion_adapter,
        dtype=config.dtype,
        threads=config.threads,
        device=resources.device,
    )
    shards: list[Shard] = [(index, []) for index in missing]
    made = make_shards(config.executor, resources, maker, shards, ignore)
    for number, index in enumerate(made):
        log.info("latents of shard %05d; %d of %d", index, number + 1, len(missing))


def ignore(index: int, num_ok: int, num_failed: int) -> None:
    """A shard's latents are made in seconds: a line when they are there is enough."""
