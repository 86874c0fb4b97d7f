"""Training of the embedded base model: UNet and text encoder together, on coloured doodles and on
sketches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from flipsketch.doodle_model.architecture import write_sampling
from flipsketch.doodle_model.latent_arrays import LatentWindows
from flipsketch.doodle_model.session import Session
from flipsketch.media.contact_sheet import draw_strip, stack
from flipsketch.method.text_to_video import sample_from_text
from flipsketch.models.kernels import training_kernels
from flipsketch.models.layout import save_parts
from flipsketch.models.registry import NO_LORA
from flipsketch.models.video_model import VideoModel, load_model
from flipsketch.storage.folder import new_folder, open_folder
from flipsketch.training.config import TrainingConfig
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.resumable import learn
from flipsketch.training.trainer import Trainer

CARD = "---\nlicense: cc0-1.0\n---\nAn intermediate stage of the embedded model.\n"
SHOWN = (
    "a bird flies to the left",
    "the fish is swimming right",
    "a balloon floating upwards",
    "a person walks to the right",
    "the car drives to the left",
    "a flower sways",
)


@dataclass(frozen=True, kw_only=True)
class BaseStage:
    num_frames: int
    """1 to train on images, or all frames of a clip."""
    num_steps: int
    batch_size: int
    """Clips or images in a step, over all processes."""
    learning_rate: float
    dtype: torch.dtype
    """The dtype that networks compute in; weights are float32."""
    validation_steps: int = 25
    """DDIM steps of the sample pictures."""
    seed: int = 0


def train_base(
    start: Path,
    latents: np.ndarray,
    prompts: list[str],
    stage: BaseStage,
    folder: Path,
    session: Session,
) -> None:
    """Train in the folder until all steps are done, or until the session's deadline.

    In the end the folder has a model folder `model` with the averaged weights.

    Args:
        start: model folder to start from.
        latents: float16 (N, F, C, h, w).
    """
    kernels = training_kernels(torch.device(session.device).type)
    model = load_model(start, lora=NO_LORA, device=session.device, kernels=kernels)
    trainer = make_trainer(model, latents, prompts, stage, session)

    def draw() -> Image.Image:
        with trainer.averaged():
            return draw_from_text(model, stage)

    learnt = open_folder(str(folder))
    losses = learn(learnt, trainer, stage.num_steps, deadline=session.deadline, draw=draw)
    if session.rank == 0 and len(losses) == stage.num_steps:
        with trainer.averaged(), new_folder(folder / "model") as out:
            write_sampling(out)
            save_parts(model, out, CARD)


def make_trainer(
    model: VideoModel,
    latents: np.ndarray,
    prompts: list[str],
    stage: BaseStage,
    session: Session,
) -> Trainer | GraphTrainer:
    """Return a trainer of all weights; on a GPU one whose step is a single CUDA graph.

    Args:
        latents: float16 (N, F, C, h, w).
    """
    training = TrainingConfig(
        train="full",
        train_text_encoder=True,
        num_steps=stage.num_steps,
        global_batch_size=stage.batch_size,
        batch_size=stage.batch_size // session.num_ranks,
        num_frames=stage.num_frames,
        inverted_first_frame=0.7 if stage.num_frames > 1 else 0.0,
        signal_leak_prob=0.1 if stage.num_frames > 1 else 0.0,
        reference_share=0.1 if stage.num_frames > 1 else 0.0,
        learning_rate=stage.learning_rate,
        warmup_steps=min(200, stage.num_steps // 2),
        schedule="cosine",
        ema_decay=0.998,
        seed=stage.seed,
    )
    if model.device.type == "cuda":
        lengths = torch.full((len(latents),), latents.shape[1])
        clips = Clips(torch.from_numpy(latents), lengths, prompts)
        return GraphTrainer(model, clips, training, dtype=stage.dtype)
    windows = LatentWindows(
        latents, prompts, stage.num_frames, training.prompt_dropout, seed=stage.seed
    )
    return Trainer(
        model,
        windows,
        training,
        rank=session.rank,
        num_ranks=session.num_ranks,
        dtype=stage.dtype,
    )


def draw_from_text(model: VideoModel, stage: BaseStage) -> Image.Image:
    """Return a picture of clips sampled from some prompts alone."""
    strips = []
    for seed, prompt in enumerate(SHOWN):
        frames = sample_from_text(
            model,
            prompt,
            seed=seed,
            num_frames=stage.num_frames,
            num_inference_steps=stage.validation_steps,
        )
        strips.append(draw_strip(None, frames, [prompt]))
    return stack(strips)
