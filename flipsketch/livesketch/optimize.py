"""Live-Sketch (Gal et al., 2023): vector sketches and prompts to the points of each frame.

Shapes, here and in every file: B batch, C latent channels (4), F frames, H W pixels, h w latents,
P points of a sketch, N those of all sketches of a batch.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from flipsketch.livesketch.augmentation import augment
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.distillation import (
    FIRST_TIMESTEP,
    LAST_TIMESTEP,
    FirstFrameNoise,
    distillation_gradient,
    draw_noise_and_timesteps,
    pixel_gradient,
    scale_timestep,
)
from flipsketch.livesketch.draft import sample_draft
from flipsketch.livesketch.motion import Lattice, Objective
from flipsketch.livesketch.published import Mlp
from flipsketch.livesketch.rasterizer import VectorBatch
from flipsketch.livesketch.registration import fit_motion
from flipsketch.livesketch.regularizers import Edges
from flipsketch.livesketch.vector import VectorSketch
from flipsketch.method.guidance import encode_guidance
from flipsketch.method.request import Conditioning, shared_settings
from flipsketch.models.deterministic import adding_in_order
from flipsketch.models.graphs import graphs_of
from flipsketch.models.video_model import VideoModel

# As the model sees them, in pixels: thinner ones fade in its latents.
MIN_LINE_WIDTH = 0.75
# What follows a draft is refined: by smaller updates, and at timesteps at which the motion as a
# whole is decided already.
PACE_AFTER_DRAFT, LAST_AFTER_DRAFT = 0.4, 600


def animate_vectors(
    model: VideoModel,
    sketches: Sequence[VectorSketch],
    conditionings: Sequence[Conditioning],
    seeds: Sequence[int],
    config: LiveSketchConfig | None = None,
) -> list[np.ndarray]:
    """Return the points of each clip's frames, float64 (F, P, 2): NaN where the model's predictions
    were not finite, which other rows do not notice.

    Args:
        conditionings: `Conditioning(prompt, sampling)` for each row: its prompt, and how its draft
            is sampled and its sketch inverted.

    Raises:
        ValueError: the rows' settings differ in what a batch shares, or there are not as many of
            one thing as of the others.
    """
    counts = {len(sketches), len(conditionings), len(seeds)}
    if len(counts) > 1 or not sketches:
        raise ValueError(
            f"a batch has a conditioning and a seed for each sketch, and one sketch at least; got "
            f"{len(sketches)} sketches, {len(conditionings)} conditionings and {len(seeds)} seeds"
        )
    with adding_in_order(model.device):
        return optimize_points(model, sketches, conditionings, seeds, config or LiveSketchConfig())


def optimize_points(
    model: VideoModel,
    sketches: Sequence[VectorSketch],
    conditionings: Sequence[Conditioning],
    seeds: Sequence[int],
    config: LiveSketchConfig,
) -> list[np.ndarray]:
    scene = Scene(model, sketches, conditionings, config)
    draft = None
    if config.num_draft_steps > 0:
        draft = sample_draft(model, sketches, conditionings, seeds, config)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    motion, objectives = begin_motion(scene, generators, draft, config)
    is_finite = torch.ones(len(sketches), dtype=torch.bool, device=model.device)
    with graphs_of(model.unet).batch(model.unet, "distill", scene.latents_shape):
        for _ in range(config.num_steps):
            for objective in objectives:
                points = scene.still + motion()
                pixels = scene.draw(points, generators)
                gradient = scene.distill(pixels, generators, objective.guidance_scale)
                is_finite &= gradient.isfinite().flatten(1).all(dim=1)
                loss = (pixels * gradient.where(is_finite.view(-1, 1, 1, 1, 1), 0)).sum()
                if config.rigidity > 0 and config.motion == "lattice":
                    loss = loss + config.rigidity * scene.edges.stretch(points).sum()
                motion.zero_grad()
                loss.backward()
                objective.step()
    motion.eval()
    is_finite = is_finite[scene.batch.sketch_of_point, None]
    moved = scene.batch.points + motion().detach().where(is_finite, torch.nan)
    return [points.cpu().numpy() for points in scene.batch.split(moved)]


def begin_motion(
    scene: "Scene",
    generators: Sequence[torch.Generator],
    draft: Tensor | None,
    config: LiveSketchConfig,
) -> tuple[nn.Module, list[Objective]]:
    """Return what moves the points of a batch, and the losses of a step.

    Args:
        draft: ink of clips that the motion follows at first (B, F, H, W).
    """
    points, num_frames = scene.batch.split(scene.still), scene.latents_shape[2]
    if config.motion == "mlp":
        mlp = Mlp(points, num_frames, generators, config.published_defects)
        return mlp, mlp.objectives(config.num_steps)
    lattice, pace = Lattice(points, num_frames), 1.0
    if draft is not None:
        fit_motion(lattice, scene.batch, scene.edges, draft, config.rigidity)
        pace = PACE_AFTER_DRAFT
    return lattice, lattice.objectives(config.distillation_guidance, pace)


class Scene:
    """The sketches of a batch as the model sees them, and what it is asked to make of them."""

    def __init__(
        self,
        model: VideoModel,
        sketches: Sequence[VectorSketch],
        conditionings: Sequence[Conditioning],
        config: LiveSketchConfig,
    ) -> None:
        """Raises ValueError: the rows' settings differ in what a batch shares."""
        sampling = shared_settings([conditioning.sampling for conditioning in conditionings])
        self.model, self.is_published = model, config.motion == "mlp"
        last = LAST_AFTER_DRAFT if config.num_draft_steps > 0 else LAST_TIMESTEP
        self.first_timestep, self.last_timestep = (
            scale_timestep(timestep, model.scheduler) for timestep in (FIRST_TIMESTEP, last)
        )
        self.is_signed = sampling.sketch_range == "signed"
        self.batch = VectorBatch.pack(sketches).to(model.device)
        self.still = self.batch.points.to(model.latents_dtype)
        self.edges = Edges(self.batch, self.still)
        self.guidance = encode_guidance(model, conditionings)
        sketch_latents = model.encode(self.draw(self.still[None]))
        self.first_frame = None
        if config.num_steps > 0 and not self.is_published:
            null_embeds = model.encode_prompts([""]).expand_as(self.guidance.prompt_embeds)
            self.first_frame = FirstFrameNoise.invert(
                model,
                sketch_latents,
                null_embeds,
                sampling.num_inference_steps,
                self.last_timestep,
            )
        channels, _, *sides = sketch_latents.shape[1:]
        self.latents_shape = torch.Size((len(sketches), channels, sampling.num_frames, *sides))

    def draw(self, points: Tensor, generators: Sequence[torch.Generator] = ()) -> Tensor:
        """Return pixels (B, 3, F, H, W) of points (F, N, 2), augmented as published if there are
        generators and the motion is the published one."""
        ink = self.batch.rasterize(points, self.model.size, min_line_width=MIN_LINE_WIDTH)
        if self.is_published and generators:
            ink = augment(ink, generators)
        paper = 1 - 2 * ink if self.is_signed else 1 - ink
        return paper[:, None].expand(-1, 3, -1, -1, -1)

    def distill(
        self, pixels: Tensor, generators: Sequence[torch.Generator], guidance_scale: float
    ) -> Tensor:
        """Return the gradient on pixels (B, 3, F, H, W) of score distillation, at a timestep and
        with noise of each row's own."""
        noise, t = draw_noise_and_timesteps(
            generators, self.latents_shape, self.first_timestep, self.last_timestep
        )
        noise, t = noise.to(self.still), t.to(self.still.device)
        if self.first_frame is not None:
            noise[:, :, :1] = self.first_frame.at(t)
        guidance = replace(self.guidance, scale=guidance_scale)
        return pixel_gradient(
            self.model,
            pixels,
            lambda latents: distillation_gradient(self.model, latents, noise, t, guidance),
        )
