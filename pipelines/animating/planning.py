"""The plan of a run that animates a manifest, and what is checked before it is made."""

import logging
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.licenses import all_licenses
from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.passport import license_settings
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.run_folder import check_resumes
from flipsketch.media.clip import check_pixels
from flipsketch.method.config import SETTINGS_FILE, model_defaults
from flipsketch.method.fitting import Fit
from flipsketch.method.limits import read_limits
from flipsketch.method.methods import METHODS
from flipsketch.models.cards import read_statements
from flipsketch.models.motion_adapters import choose_motion_adapter, fingerprint_motion
from flipsketch.models.pinning import note_places, pin_places
from flipsketch.models.places import find_on_hub
from flipsketch.models.registry import find_lora, fingerprint_folder
from flipsketch.storage.folder import Folder
from pipelines.animating.config import AnimateConfig
from pipelines.animating.video import check_video_loads
from pipelines.execution.locations import anchor
from pipelines.execution.process import command_line, library_versions
from pipelines.execution.work import Resources
from pipelines.makers.clip_settings import (
    choose_kernels,
    livesketch_settings,
    sampling_settings,
    sketch_settings,
    slicing_settings,
    video_notes,
    video_settings,
)
from pipelines.sharding.planning import ROWS_PER_SHARD, choose_rows_per_shard

log = logging.getLogger(__name__)


def settle(config: AnimateConfig) -> AnimateConfig:
    """Return the job with settings of the sampler that its method has a use for."""
    method = METHODS[config.method]
    if unused := method.list_unused(config.sampling, model_defaults(config.model)):
        log.warning("the method %s has no use for %s", config.method, ", ".join(unused))
    return replace(config, sampling=method.settle(config.sampling))


def warn_of_settings(config: AnimateConfig, model_folder: Path) -> None:
    """Say that settings which a model on the Hub names for itself are not used: flags have their
    defaults before anything is fetched."""
    path = model_folder / SETTINGS_FILE
    if find_on_hub(config.model) is not None and path.is_file():
        log.warning(
            "%s: names settings that are best for it in %s, which are used of a model in a folder "
            "alone; give them as flags, or give the folder %s",
            *(config.model, SETTINGS_FILE, model_folder),
        )


def find_motion(config: AnimateConfig, model_folder: Path) -> Path | None:
    """Return the folder of the motion adapter that a model of pictures is animated with; None of a
    model of video.

    Raises:
        ValueError: it needs one and there is none, or it takes none.
    """
    if not METHODS[config.method].takes_video_model:
        return None
    # Of one on the Hub a dry run fetches the settings alone.
    return choose_motion_adapter(model_folder, config.motion_adapter, settings_only=config.dry_run)


def pin_config(config: AnimateConfig, before: Plan | None) -> AnimateConfig:
    """Return the job with its places on the Hub at the commits that the run began with."""
    known = before.log if before else {}
    if config.livesketch.tries > 1:
        config = replace(config, livesketch=pin_places(config.livesketch, known))
    return pin_places(config, known)


def note_config(asked: AnimateConfig, pinned: AnimateConfig) -> dict[str, str]:
    """Return what the plan notes of the job's places, before and after `pin_config`."""
    notes = note_places(asked, pinned)
    if pinned.livesketch.tries > 1:
        notes |= note_places(asked.livesketch, pinned.livesketch)
    return notes


def check_clips(config: AnimateConfig, model_folder: Path) -> tuple[int, int | None]:
    """Return height and width of the clips, and the frames of a segment at the most, if there is
    such a limit.

    Raises:
        ValueError: the clips would be too large to read, or the model cannot be asked for them.
    """
    method = METHODS[config.method]
    max_frames = None
    if method.denoises:
        limits = read_limits(model_folder, find_motion(config, model_folder))
        max_frames = limits.max_frames
        num_draft_steps = config.livesketch.num_draft_steps if method.moves_strokes else 0
        limits.check(config.sampling, num_draft_steps, inverts=method.inverts)
        if said := limits.describe_frames(config.sampling.num_frames):
            log.info(said)
    size = config.video.size or method.frame_size(model_folder, config.livesketch.output_size)
    try:
        check_pixels(config.sampling.num_frames, size)
    except ValueError as error:
        smaller = " or --output-size" if method.moves_strokes else ""
        raise ValueError(f"{error}; lower --num-frames{smaller}") from error
    return size, max_frames


def check_loads(config: AnimateConfig, model_folder: Path) -> None:
    """Raise ValueError unless the model and the adapter can be loaded; no weights are read."""
    if METHODS[config.method].makes_videos:
        check_video_loads(config, model_folder)
        return
    from flipsketch.models.inspection import inspect_model

    lora = find_lora(config.adapter) if config.adapter else None
    motion_adapter = find_motion(config, model_folder)
    inspect_model(model_folder, lora, motion_adapter)
    if config.livesketch.tries > 1:
        from flipsketch.scoring.clip_model import find_scorer, inspect_scorer

        inspect_scorer(find_scorer(config.livesketch.clip_model), "CLIPModel")


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
    settings = {
        **{name: known.get(name, value) for name, value in defaults.items()},
        **named,
        **choose_kernels(config.kernels, before, resources.device),
        **slicing_settings(config.vae_slicing, before),
        **ANIMATE.settings,
        "num_rows": manifest.num_rows,
        "manifest_fingerprint": manifest.fingerprint,
        "extra_columns": {field.name: str(field.type) for field in manifest.extra_schema},
        "method": config.method,
        **weights_settings(config, before, model_folder),
        **sketch_settings(config.sketches, before),
        **sampling_settings(config.sampling, before),
        **livesketch_settings(config.method, config.livesketch, before),
        **video_settings(config.method, config.video, model_folder, before),
    }
    notes = {
        "command": command_line(),
        "manifest": anchor(config.manifest),
        "model": config.model,
        "lora": config.adapter,
        **({"motion_adapter": config.motion_adapter} if config.motion_adapter else {}),
        "executor": config.executor.executor,
        "workers": resources.workers,
        "device": resources.device,
        **({"clip_model": config.livesketch.clip_model} if config.livesketch.tries > 1 else {}),
        **video_notes(config.method, model_folder),
        "graphs": config.graphs and resources.device == "cuda" and not config.offload,
        **({"offload": True} if config.offload else {}),
        "checkpoint_gradients": fit.checkpoint_gradients,
        "versions": {
            "python": platform.python_version(),
            **library_versions("torch", "diffusers"),
        },
    }
    return Plan(settings, tuple(chosen), notes)


def weights_settings(
    config: AnimateConfig, before: Plan | None, model_folder: Path | None
) -> dict[str, Any]:
    """Return what the plan says of the model and the adapter: which they are, and their licenses.

    Args:
        model_folder: None where it is not here, and is taken to be the same.
    """
    known = before.settings if before else {}
    method, adapter = METHODS[config.method], config.adapter
    lora = method.find_lora(adapter) if adapter else None
    settings = {"lora_fingerprint": method.fingerprint_lora(adapter) if adapter else None}
    names = ("model_fingerprint", "model_licence")
    motion_names = ("motion_fingerprint", "motion_license")
    motion_license = None
    if model_folder is not None:
        parts = method.list_parts(model_folder)
        settings["model_fingerprint"] = fingerprint_folder(model_folder, parts)
        stated = config.model_license
        settings["model_licence"] = known_licence(before, names, settings, model_folder, stated)
        if (motion_adapter := find_motion(config, model_folder)) is not None:
            settings["motion_fingerprint"] = fingerprint_motion(motion_adapter)
            motion_license = known_licence(before, motion_names, settings, motion_adapter)
    else:
        kept = (*names, "motion_fingerprint")
        settings |= {name: known[name] for name in kept if name in known}
        motion_license = known.get("motion_license")
    names = ("lora_fingerprint", "lora_license")
    return settings | license_settings(
        before,
        lora_license=known_licence(before, names, settings, lora) if lora else None,
        motion_license=motion_license,
    )


def known_licence(
    before: Plan | None,
    names: tuple[str, str],
    settings: dict[str, Any],
    folder: Path,
    stated: str | None = None,
) -> str:
    """Return the license of weights: of those that the run began with what its card said then,
    since clips say it too.

    Args:
        names: of the settings of their fingerprint and their license.
        stated: what the user says now that it is, where no card does.
    """
    known = before.settings if before else {}
    is_known = known.get(names[0]) == settings[names[0]] and isinstance(known.get(names[1]), str)
    if is_known and not stated:
        return known[names[1]]
    return all_licenses(*read_statements(folder, stated))
