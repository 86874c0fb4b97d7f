"""Release folders of the embedded models: half-precision weights, sampling defaults, model cards,
and `making.json`, the stages so far, which the card of a model trained further lists too."""

import json
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from huggingface_hub import ModelCardData
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPTokenizer

from flipsketch.doodle_model.architecture import write_sampling
from flipsketch.models.layout import save_parts
from flipsketch.models.registry import NO_LORA, find_embedded
from flipsketch.models.video_model import load_model
from flipsketch.storage.folder import new_folder, open_folder
from flipsketch.training.checkpoints import load_newest

log = logging.getLogger(__name__)

CARD = """# {name}

{about}

Made by this project from doodles that it draws itself (`jobs/make_doodle_model.py`), and dedicated
to the public domain ([CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/)), without
warranty.

| stage | trained on | steps | batch | final loss |
|---|---|---|---|---|
{stages}

Hardware: {hardware}. {use}

![samples](samples.png)
"""
MODEL = (
    "A text-to-video diffusion model in ModelScope's layout, small enough for a laptop: frames of "
    "64 x 64, latents of {channels} x 16 x 16, 10 frames, {millions:.1f} M parameters, velocity "
    "prediction. It knows {num_subjects} subjects and how they move: {subjects}. By itself it "
    "draws in colours, and lines only for prompts that begin with `line drawing:`; `doodle-lora` "
    "makes it draw sketches. Clips begin with a little of the sketch in their noise "
    "(`sketch_in_noise` 1); with two or three times as much, unfamiliar drawings keep their shape "
    "and move less. Trained on little, it draws roughly, and with less of the sketch it draws "
    "unfamiliar subjects as familiar ones. "
    "To train it further, run `jobs/make_doodle_model.py --start doodle --image-steps 0 --seed 9` "
    "with a seed that it has not been trained with. It serves to try, test and measure everything "
    "without a download; for a corpus use a full-size model."
)
LORA = (
    "The adapter (rank {rank}) that makes `doodle` draw black strokes on white, trained by "
    "`jobs/train_lora.py` on sketch doodles."
)
CLIP = (
    "A CLIP model of {millions:.1f} M parameters, trained on doodles in both looks and their "
    "prompts: the embedded scorer of consistency with the sketch and of alignment with the prompt. "
    "In a batch of {batch} training clips, it ranked a frame's own prompt first for {accuracy:.0%} "
    "of the frames. Use its scores to compare clips of doodles with one another; they are not "
    "comparable with those of a full-size CLIP."
)
USE = "Use: `--model doodle --lora doodle-lora`; compare other models with `jobs/compare.py`."
CLIP_USE = "Use: it is the default scorer of `jobs/evaluate.py`."


@dataclass(frozen=True)
class Stage:
    name: str
    trained_on: str
    batch: str
    num_steps: int
    loss: float
    """Mean of the last tenth of the steps."""


def write_release(
    folder: Path,
    facts_by_stage: dict[str, tuple[str, str]],
    *,
    hardware: str,
    subjects: tuple[str, ...],
    start: str | None,
) -> None:
    """Write `release/` in the folder of the stages: `doodle/`, `doodle-lora/` and, if a scorer was
    trained, `doodle-clip/`.

    Args:
        facts_by_stage: for each stage, what it was trained on, and its batch.
        start: model that training continued from, if any.

    Raises:
        ValueError: a stage is not done; an earlier release is kept.
    """
    release = folder / "release"
    stages = {name: read_stage(folder / name, *facts) for name, facts in facts_by_stage.items()}
    earlier = read_making(find_embedded(start)) if start is not None else []
    own = [stage for name in ("vae", "images", "video") if (stage := stages[name]) is not None]
    lora, scorer = stages["lora"], stages["scorer"]
    made = {name: find_made(folder, name) for name in ("video", "lora")}
    if scorer is not None:
        made["scorer"] = find_made(folder, "scorer")
    assert lora is not None, "training an adapter saves checkpoints"
    # Only now: an earlier release is kept unless all parts of the new one exist.
    shutil.rmtree(release, ignore_errors=True)
    write_model(made["video"], release / "doodle", hardware, subjects, earlier + own)
    write_lora(folder / "lora", release / "doodle-lora", hardware, lora)
    if scorer is not None:
        write_clip(made["scorer"], release / "doodle-clip", hardware, scorer)
    num_bytes = sum(path.stat().st_size for path in release.rglob("*") if path.is_file())
    log.info("%.1f MB -> %s", num_bytes / 1e6, release)


def find_made(folder: Path, stage: str) -> Path:
    """Return the folder of what a stage made, or raise ValueError if it is not done."""
    made = folder / stage / ("lora" if stage == "lora" else "model")
    if not made.exists():
        raise ValueError(f"{folder}: the stage {stage} is not done; run it first")
    return made


def read_stage(folder: Path, trained_on: str, batch: str) -> Stage | None:
    """Return a stage by its newest checkpoint, or None if it was not run in this folder."""
    if not (folder / "checkpoints").exists():
        return None
    _, state = load_newest(open_folder(str(folder)))
    if state is None:
        return None
    if "losses" in state:
        losses = state["losses"].tolist()
    else:
        losses = [report[1] for report in state["history"]]
    last = losses[-max(1, len(losses) // 10) :]
    return Stage(folder.name, trained_on, batch, len(losses), float(np.mean(last)))


def read_making(model: Path) -> list[Stage]:
    """Return the training stages that a model folder lists; none if it has no such list."""
    path = model / "making.json"
    return [Stage(**stage) for stage in json.loads(path.read_text())] if path.exists() else []


def write_model(
    source: Path, output: Path, hardware: str, subjects: tuple[str, ...], stages: list[Stage]
) -> None:
    """Write a model folder in half precision."""
    model = load_model(source, lora=NO_LORA)
    networks = (model.unet, model.vae, model.text_encoder)
    millions = sum(parameter.numel() for net in networks for parameter in net.parameters()) / 1e6
    about = MODEL.format(
        channels=model.unet.config.in_channels,
        millions=millions,
        num_subjects=len(subjects),
        subjects=", ".join(subjects),
    )
    for network in networks:
        network.half()
    for network in (model.unet, model.vae):
        # Diffusers records the folder that a network was loaded from.
        network.register_to_config(_name_or_path=output.name)
    with new_folder(output) as folder:
        write_sampling(folder)
        add_samples(folder, source.parent)
        making = json.dumps([asdict(stage) for stage in stages], indent=1)
        (folder / "making.json").write_text(making + "\n")
        # Last, as the index in it marks the folder as complete.
        save_parts(model, folder, fill_card("doodle", "diffusers", about, hardware, stages))


def write_lora(source: Path, output: Path, hardware: str, stage: Stage) -> None:
    """Write an adapter folder in half precision."""
    config = json.loads((source / "lora" / "unet" / "adapter_config.json").read_text())
    weights = load_file(source / "lora" / "unet" / "adapter_model.safetensors")
    about = LORA.format(rank=config["r"])
    with new_folder(output) as folder:
        (folder / "unet").mkdir()
        (folder / "unet" / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
        save_file(
            {name: weight.half() for name, weight in weights.items()},
            folder / "unet" / "adapter_model.safetensors",
        )
        add_samples(folder, source)
        (folder / "README.md").write_text(
            fill_card("doodle-lora", "peft", about, hardware, [stage])
        )


def write_clip(source: Path, output: Path, hardware: str, stage: Stage) -> None:
    """Write the scorer in half precision."""
    clip = CLIPModel.from_pretrained(source)
    size = clip.config.vision_config.image_size
    preparing = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "size": {"height": size, "width": size},
        "do_center_crop": False,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    millions = sum(parameter.numel() for parameter in clip.parameters()) / 1e6
    accuracy = json.loads((source / "accuracy.json").read_text())
    about = CLIP.format(millions=millions, **accuracy)
    with new_folder(output) as folder:
        CLIPTokenizer.from_pretrained(source).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(preparing, indent=1) + "\n")
        clip.half().save_pretrained(folder)
        add_samples(folder, source.parent)
        card = fill_card("doodle-clip", "transformers", about, hardware, [stage], CLIP_USE)
        (folder / "README.md").write_text(card)


def add_samples(folder: Path, stage: Path) -> None:
    """Copy the newest sample picture of a stage."""
    newest = max((stage / "samples").glob("*.png"))
    shutil.copy(newest, folder / "samples.png")


def fill_card(
    name: str,
    library: str,
    about: str,
    hardware: str,
    stages: list[Stage],
    use: str = USE,
) -> str:
    lines = [
        f"| {stage.name} | {stage.trained_on} | {stage.num_steps:,} | {stage.batch} | "
        f"{stage.loss:.4f} |"
        for stage in stages
    ]
    data = ModelCardData(
        license="cc0-1.0", library_name=library, tags=["sketch", "animation", "flipsketch"]
    )
    text = CARD.format(
        name=name,
        about=about,
        stages="\n".join(lines),
        hardware=hardware,
        use=use,
    )
    return f"---\n{data.to_yaml()}\n---\n\n{text}"
