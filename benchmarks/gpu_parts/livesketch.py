"""Steps and clips of Live-Sketch, of our lattice and as published: TFLOP, seconds and memory."""

from dataclasses import replace
from functools import partial

import torch
from measuring import timed

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.costs import NUM_OBJECTIVES, FrameWork, trace_frames
from flipsketch.livesketch.optimize import animate_vectors
from flipsketch.livesketch.vector import VectorSketch, read_vector
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import Conditioning
from flipsketch.models.video_model import VideoModel
from gpu_parts.bench import UNKNOWN_S, Bench
from gpu_parts.card import percent_of_peak
from gpu_parts.rows import Row
from gpu_parts.unet import NUM_FRAMES, expect_pass
from gpu_parts.variants import DEFAULT_NAME, use_variant

LIVESKETCH = "h. Live-Sketch"
# Sketches of as many strokes as the authors recommend.
NUM_STROKES = 16
PUBLISHED_FRAMES = 24
# Of a pass of the UNet for ten frames: one with guidance, the VAE there and back, with gradients
# and without.
PASSES_A_STEP = 5
# The inversion's passes of five frames.
PASSES_BEFORE = 25 / 2


def measure_livesketch(bench: Bench) -> None:
    cases = [("lattice", NUM_FRAMES, batch) for batch in bench.scale.livesketch_batches]
    for motion, frames, batch in [*cases, ("mlp", PUBLISHED_FRAMES, 1)]:
        facts = {"motion": motion, "frames": frames, "batch": batch}
        num_passes = PASSES_BEFORE * 4 + PASSES_A_STEP * (5 + bench.scale.livesketch_steps)
        # The published network has two losses a step.
        scale = frames / NUM_FRAMES * (1 + (motion == "mlp"))
        expected_s = UNKNOWN_S + scale * num_passes * expect_pass(bench, batch)
        bench.row(
            LIVESKETCH,
            f"{motion}, {frames} frames, batch {batch}",
            facts,
            lambda facts=facts: time_steps(bench, facts),
            expected_s,
        )


def time_steps(bench: Bench, facts: Row) -> Row:
    """Time a few steps, and add up as many as a clip takes; a draft comes on top."""
    use_variant(bench.model, DEFAULT_NAME)
    config = LiveSketchConfig(motion=facts["motion"], draft_steps=0)
    sampling = SamplingConfig(num_frames=facts["frames"])
    make = partial(make_clips, bench.model, sampling, config)
    batch, num_timed = facts["batch"], bench.scale.livesketch_steps
    work = count_work(bench.model, sampling)
    encoded_twice = batch * sampling.num_frames > bench.model.vae_chunk
    step_tflop = work.step(
        NUM_OBJECTIVES[config.motion], sampling.num_frames, encoded_twice=encoded_twice
    )
    make(batch, 1)
    with bench.peak() as memory:
        before_s = timed(partial(make, batch, 1), bench.device)
        step_s = timed(partial(make, batch, 1 + num_timed), bench.device) - before_s
    # At toy size the difference may be less than the clock's noise.
    step_s = max(step_s, 1e-6) / num_timed
    num_steps = config.num_steps
    tflop_per_s = batch * step_tflop / step_s
    return {
        "tflop_a_step": round(step_tflop, 6),
        "tflop_a_clip": round(work.clip(sampling, config, encoded_twice=encoded_twice), 6),
        "s_a_step": round(step_s, 4),
        "s_a_clip": round((before_s + (num_steps - 1) * step_s) / batch, 3),
        "tflop_per_s": round(tflop_per_s, 3),
        "percent_of_peak": percent_of_peak(bench.rows, tflop_per_s),
        **memory,
        "measured": f"{num_timed} of {num_steps} steps",
    }


def make_clips(
    model: VideoModel,
    sampling: SamplingConfig,
    config: LiveSketchConfig,
    batch: int,
    num_steps: int,
) -> None:
    animate_vectors(
        model,
        [draw_sketch()] * batch,
        [Conditioning("a cat runs to the left", sampling)] * batch,
        range(batch),
        replace(config, optimization_steps=num_steps),
    )


def draw_sketch() -> VectorSketch:
    """Return strokes across the page, of the width that the authors recommend."""
    paths = "".join(
        f'<path d="M40 {y}C90 {y - 30} 150 {y + 30} 210 {y}" fill="none" stroke="black" '
        f'stroke-width="1.5"/>'
        for y in range(50, 50 + 10 * NUM_STROKES, 10)
    )
    return read_vector(f'<svg viewBox="0 0 256 256">{paths}</svg>'.encode())


def count_work(model: VideoModel, sampling: SamplingConfig) -> FrameWork:
    """Count the operations of networks of the model's shapes."""
    with torch.device("meta"):
        networks = {
            part: type(network).from_config(network.config)
            for part, network in (("unet", model.unet), ("vae", model.vae))
        }
    return trace_frames(networks, sampling, model.unet.dtype)[0]
