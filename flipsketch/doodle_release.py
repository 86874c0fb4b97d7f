"""The embedded model as it is shipped: half-precision weights, what the sampler should know, cards.

Of the folder in which it was made, `release/` gets `doodle/`, `doodle-lora/` and `doodle-clip/`.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPTokenizer

from flipsketch.checkpoints import load_newest
from flipsketch.doodle_model import save_parts, write_sampling
from flipsketch.model import load_model
from flipsketch.storage import new_folder, open_folder

CARD = """---
license: cc0-1.0
library_name: {library}
tags:
- sketch
- animation
- flipsketch
---

# {name}

{about}

Made by this project from doodles that it draws itself (`jobs/make_doodle_model.py`), and dedicated
to the public domain ([CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/)), as they are.

| stage | trained on | steps | batch | loss at the end |
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
    "makes it draw sketches. It is still being trained: shapes are rough, and a clip does not keep "
    "to one of them; `jobs/make_doodle_model.py --start doodle` trains it longer. It is there so "
    "that everything can be tried, tested and measured without a download; for a corpus take a "
    "model of full size."
)
LORA = (
    "The adapter (rank {rank}) that makes `doodle` draw black strokes on white, trained by "
    "`jobs/train_lora.py` on sketch doodles of the same subjects."
)
CLIP = (
    "A CLIP model of {millions:.1f} M parameters, trained on doodles in both looks and their "
    "prompts: the embedded scorer of consistency with the sketch and of alignment with the prompt. "
    "Of {batch} prompts, a frame's own came first in {accuracy:.0%} of a batch of training clips. "
    "Its scores compare clips of doodles with one another, and are not those of a CLIP of full "
    "size."
)
USE = "Use: `--model doodle --lora doodle-lora`; measure another against it with `jobs/compare.py`."
CLIP_USE = "Use: it is the default scorer of `jobs/evaluate.py`."


@dataclass(frozen=True)
class Stage:
    name: str
    trained_on: str
    batch: str
    losses: list[float]


def read_losses(folder: Path) -> list[float]:
    """Return the losses of a stage, from its newest checkpoint.

    Raises:
        ValueError: it has none.
    """
    _, state = load_newest(open_folder(str(folder)))
    if state is None:
        raise ValueError(f"{folder}: no checkpoint; do the stage first")
    if "losses" in state:
        return state["losses"].tolist()
    return [report[1] for report in state["history"]]


def write_model(source: Path, output: Path, facts: dict[str, Any], stages: list[Stage]) -> None:
    """Write a model folder in half precision."""
    model = load_model(source)
    networks = (model.unet, model.vae, model.text_encoder)
    millions = sum(parameter.numel() for net in networks for parameter in net.parameters()) / 1e6
    about = MODEL.format(
        channels=model.unet.config.in_channels,
        millions=millions,
        num_subjects=len(facts["subjects"]),
        subjects=", ".join(facts["subjects"]),
    )
    if facts["start"] is not None:
        about += f" It began with the weights of `{facts['start']}` as it was before."
    for network in networks:
        network.half()
    for network in (model.unet, model.vae):
        # Diffusers notes the folder that it was loaded from.
        network.register_to_config(_name_or_path=output.name)
    with new_folder(output) as folder:
        write_sampling(folder)
        add_samples(folder, source.parent)
        # The index, which comes last, tells that the folder is whole.
        save_parts(model, folder, fill_card("doodle", "diffusers", about, facts, stages))


def write_lora(source: Path, output: Path, facts: dict[str, Any], stages: list[Stage]) -> None:
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
        (folder / "README.md").write_text(fill_card("doodle-lora", "peft", about, facts, stages))


def write_clip(source: Path, output: Path, facts: dict[str, Any], stages: list[Stage]) -> None:
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
    about = CLIP.format(millions=millions, **facts["scorer"])
    with new_folder(output) as folder:
        CLIPTokenizer.from_pretrained(source).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(preparing, indent=1) + "\n")
        clip.half().save_pretrained(folder)
        add_samples(folder, source.parent)
        card = fill_card("doodle-clip", "transformers", about, facts, stages, CLIP_USE)
        (folder / "README.md").write_text(card)


def add_samples(folder: Path, stage: Path) -> None:
    """Take along the newest picture of what a stage had learnt."""
    newest = max((stage / "samples").glob("*.png"))
    shutil.copy(newest, folder / "samples.png")


def fill_card(
    name: str,
    library: str,
    about: str,
    facts: dict[str, Any],
    stages: list[Stage],
    use: str = USE,
) -> str:
    lines = [
        f"| {stage.name} | {stage.trained_on} | {len(stage.losses):,} | {stage.batch} | "
        f"{np.mean(stage.losses[-max(1, len(stage.losses) // 10) :]):.4f} |"
        for stage in stages
    ]
    return CARD.format(
        name=name,
        library=library,
        about=about,
        stages="\n".join(lines),
        hardware=facts["hardware"],
        use=use,
    )
