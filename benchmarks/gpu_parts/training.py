"""Training steps of an adapter: with cached latents or not, as a graph, with checkpointing."""

from itertools import product
from typing import Any

import numpy as np
import torch
from measuring import timed

from flipsketch.media.pixels import to_pixels
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.lora import drop_lora
from flipsketch.models.video_model import VideoModel
from flipsketch.training.config import TrainingConfig
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.trainer import Trainer
from gpu_parts.bench import Bench
from gpu_parts.rows import Row
from gpu_parts.unet import NUM_FRAMES, expect_pass
from gpu_parts.variants import PLAIN_NAME, TRAINING_NAME, use_variant

TRAINING = "e. Training steps"
ENCODED, CACHED, ON_DEVICE = "latents encoded each time", "latents cached", "all on the device"
# Latents, whether a pass is one graph, gradient checkpointing; first the defaults.
CASES = (
    (CACHED, True, False),
    (CACHED, False, False),
    (ON_DEVICE, True, False),
    (CACHED, True, True),
    (ENCODED, True, False),
    (CACHED, False, True),
)
NUM_CLIPS = 4


class StrokeClips:
    """Clips of one moving stroke, as frames or as latents, by position."""

    def __init__(self, model: VideoModel, cached: bool) -> None:
        frames = np.full((NUM_FRAMES, model.size, model.size, 3), 255, np.uint8)
        for number in range(NUM_FRAMES):
            frames[number, model.size // 4 : model.size // 2, model.size // 3 + number % 8] = 0
        self.sample: dict[str, Any] = {"frames": frames}
        if cached:
            pixels = to_pixels(frames).to(model.device)
            self.sample = {"latents": model.encode(pixels)[0].cpu()}

    def __getitem__(self, position: int) -> dict[str, Any]:
        return {"prompt": f"clip {position}", **self.sample}

    def all(self) -> Clips:
        latents = self.sample["latents"].transpose(0, 1)  # frames first
        prompts = [f"clip {number}" for number in range(NUM_CLIPS)]
        lengths = torch.full((NUM_CLIPS,), NUM_FRAMES)
        return Clips(latents.expand(NUM_CLIPS, *latents.shape), lengths, prompts)


def measure_training(bench: Bench, batches: tuple[int, ...]) -> None:
    num_steps = bench.scale.training_warm_up + bench.scale.training_steps
    cases = [(TRAINING_NAME, *case) for case in CASES] + [(PLAIN_NAME, *CASES[0])]
    for batch, (variant, kept, graph, checkpointing) in product(batches, cases):
        facts = {"variant": variant, "batch": batch, "latents": kept}
        facts |= {"graph": graph, "checkpointing": checkpointing}
        words = [variant, f"batch {batch}", kept, "graph" if graph else "eager"]
        case = ", ".join([*words, "checkpointing"] if checkpointing else words)
        # A step costs about three passes, and with checkpointing four.
        expected_s = 5 + 4 * num_steps * expect_pass(bench, batch)
        bench.row(TRAINING, case, facts, lambda facts=facts: time_steps(bench, facts), expected_s)


def time_steps(bench: Bench, facts: Row) -> Row:
    model, batch = bench.model, facts["batch"]
    use_variant(model, facts["variant"])
    config = TrainingConfig(
        num_frames=NUM_FRAMES,
        num_steps=bench.scale.training_warm_up + bench.scale.training_steps,
        batch_size=batch,
        global_batch_size=batch,
        graphs=facts["graph"],
    )
    clips = StrokeClips(model, cached=facts["latents"] != ENCODED)
    with bench.peak() as memory, checkpoint_gradients(model.unet, facts["checkpointing"]):
        try:
            trainer: Trainer | GraphTrainer
            if facts["latents"] == ON_DEVICE:
                trainer = GraphTrainer(model, clips.all(), config)
            else:
                trainer = Trainer(model, clips, config)
            for _ in range(bench.scale.training_warm_up):
                trainer.step()
            seconds = timed(lambda: list(trainer.steps()), bench.device)
            # Where recording fails, steps go on without a graph.
            recorded = trainer if isinstance(trainer, GraphTrainer) else trainer.learn
            is_recorded = getattr(recorded, "replay", None) is not None
        finally:
            drop_lora(model.unet)
    seconds /= bench.scale.training_steps
    return {
        "recorded": is_recorded,
        "ms_a_step": round(seconds * 1e3, 2),
        "clips_a_second": round(batch / seconds, 2),
        **memory,
    }
