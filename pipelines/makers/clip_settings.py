"""What a plan says of its sketches, the sampler, Live-Sketch and the networks' kernels."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal

from flipsketch.corpus.plan import Plan
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import AS_IS, SketchConfig
from flipsketch.method.config import LATER_FIELDS, SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.video_config import VideoConfig
from flipsketch.models.pinning import noted_place
from flipsketch.models.registry import fingerprint_folder


def sampling_settings(sampling: SamplingConfig, before: Plan | None) -> dict[str, Any]:
    """Return the plan's settings of the sampler; a plan from before some of them has those that it
    began with, unless they say something new."""
    usual = SamplingConfig()
    return {
        name: value
        for name, value in asdict(sampling).items()
        if before is None
        or name in before.settings
        or name not in LATER_FIELDS
        or value != getattr(usual, name)
    }


def sketch_settings(config: SketchConfig, before: Plan | None) -> dict[str, Any]:
    """Return the plan's settings of how sketches are read; a plan from before there were any has
    none, unless they say something that it cannot mean."""
    if before is None or "paper" in before.settings:
        return asdict(config)
    meant = (asdict(SketchConfig()), asdict(AS_IS))
    return {
        name: value
        for name, value in asdict(config).items()
        if all(value != known[name] for known in meant)
    }


def livesketch_settings(
    method: str, config: LiveSketchConfig, before: Plan | None
) -> dict[str, Any]:
    """Return the plan's settings of Live-Sketch: none with other methods; a plan from before some
    of them is as `sampling_settings` has it.

    Raises:
        ValueError: there is no such scorer.
    """
    if not METHODS[method].moves_strokes:
        return {}
    usual = asdict(LiveSketchConfig()) | {"scorer_fingerprint": None}
    known = asdict(config) | {"scorer_fingerprint": None}
    # What it is, not where; of a single try none is chosen.
    del known["clip_model"]
    if config.tries > 1:
        known["scorer_fingerprint"] = fingerprint_scorer(config.clip_model)
    return {
        name: value
        for name, value in known.items()
        if before is None or name in before.settings or value != usual[name]
    }


def read_livesketch(plan: Plan) -> LiveSketchConfig:
    """Return the settings of Live-Sketch that a plan has; those that it lacks are the usual.

    Raises:
        ValueError: the scorer that chose among the tries is not here any more.
    """
    if not METHODS[plan.method].moves_strokes:
        return LiveSketchConfig()
    names = [field.name for field in fields(LiveSketchConfig) if field.name in plan.settings]
    config = LiveSketchConfig(**{name: plan.settings[name] for name in names})
    if config.tries > 1:
        noted = noted_place(plan.log, "clip_model")
        config = replace(config, clip_model=noted or config.clip_model)
        if fingerprint_scorer(config.clip_model) != plan.settings.get("scorer_fingerprint"):
            raise ValueError(
                f"{config.clip_model}: is not the scorer that chose among the tries, by its "
                f"fingerprint; put that one back"
            )
    return config


def video_settings(
    method: str, config: VideoConfig, model_folder: Path | None, before: Plan | None
) -> dict[str, Any]:
    """Return the plan's settings of videos: none with methods that make none; a plan from before
    there were any has none, unless they say something new.

    Args:
        config: settled, where the model is here.
        model_folder: None where it is not here, and is taken to be the same.
    """
    if not METHODS[method].makes_videos:
        return {}
    usual, known = asdict(VideoConfig()), before.settings if before else {}
    said = {name: value for name, value in asdict(config).items() if value != usual[name]}
    if before is not None and "pipeline" not in known:
        return said
    if model_folder is None:
        return {**{name: known[name] for name in ("pipeline", "pipeline_settings", *usual)}, **said}
    pipeline = METHODS[method].read_pipeline(model_folder)
    return {
        "pipeline": pipeline.name,
        "pipeline_settings": dict(pipeline.settings),
        **asdict(config),
    }


def video_notes(method: str, model_folder: Path | None) -> dict[str, str]:
    """Return what a plan notes of an image-to-video model: how many frames it can be asked for."""
    if model_folder is None or not METHODS[method].makes_videos:
        return {}
    return {"video_frames": METHODS[method].read_pipeline(model_folder).frame_limits}


def read_video(plan: Plan) -> VideoConfig | None:
    """Return the settings of videos that a plan has, None if it is from before there were any."""
    if "pipeline" not in plan.settings:
        return None
    return VideoConfig(**{field.name: plan.settings[field.name] for field in fields(VideoConfig)})


def fingerprint_scorer(location: str) -> str:
    """Raises ValueError: there is no such scorer."""
    from flipsketch.scoring.clip_model import find_scorer

    return fingerprint_folder(find_scorer(location), ("",))


def slicing_settings(vae_slicing: bool, before: Plan | None) -> dict[str, bool]:
    """Return the plan's setting of slicing: none where frames are decoded together, as before there
    was any. A run goes on as it began, whether or not that is asked for."""
    is_sliced = vae_slicing or (before is not None and before.vae_slicing)
    return {"vae_slicing": True} if is_sliced else {}


def choose_kernels(
    asked: Literal["fast", "plain"] | None, before: Plan | None, device: str
) -> dict[str, dict[str, Any]]:
    """Return the plan's setting of kernels; a plan from before there were any has none."""
    from flipsketch.models.kernels import FAST, PLAIN, default_kernels, read_kernels

    kernels = {"fast": FAST, "plain": PLAIN, None: default_kernels(device)}[asked]
    if before is not None and (asked is None or read_kernels(before.kernels) == kernels):
        return {} if before.kernels is None else {"kernels": before.kernels}
    return {"kernels": asdict(kernels)}
