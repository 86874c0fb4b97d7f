"""Live-Sketch as a method that corpora are made by."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flipsketch.livesketch.choosing import Chooser
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.drawing import draw_strokes, read_drawing
from flipsketch.livesketch.optimize import animate_vectors
from flipsketch.livesketch.vector import VectorSketch, write_vector
from flipsketch.media.config import SketchConfig
from flipsketch.method.animators import FlipSketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import STROKES_SIZE
from flipsketch.method.request import ClipRequest, DrawnClip, ReadSketch, count_segments
from flipsketch.method.sampler import segment_seed
from flipsketch.models.graphs import graphs_of
from flipsketch.models.loading import Loading
from flipsketch.models.offloading import turns_of
from flipsketch.svg.animated import write_animated_svg


@dataclass(frozen=True, eq=False)
class StrokeClip:
    """A clip as its strokes were moved."""

    drawing: VectorSketch
    points: np.ndarray
    """float64 (F, P, 2); what went wrong holds NaN."""
    size: int

    def draw(self, sampling: SamplingConfig) -> DrawnClip:
        if not np.isfinite(self.points).all():
            raise ValueError(
                "the model's result is not finite (NaN or infinite); try another dtype "
                "(--dtype float32), or a smaller distillation_guidance"
            )
        frames = [draw_strokes(self.drawing, points, self.size) for points in self.points]
        svgs = [write_vector(self.drawing, points) for points in self.points]
        return DrawnClip(np.stack(frames), write_animated_svg(svgs))


def try_seed(seed: int, number: int) -> int:
    """Return the seed of one of a row's tries: 63 bits. A single try is the first of several."""
    if number == 0:
        return seed
    digest = hashlib.sha256(f"{seed} try {number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class LiveSketch(FlipSketch):
    """Live-Sketch (Gal et al., 2023)."""

    def __init__(self, loading: Loading, config: LiveSketchConfig | None = None):
        """Raises ValueError: the model, the adapter or the scorer cannot be loaded."""
        super().__init__(loading)
        if (turns := turns_of(self.model.unet)) is not None:
            # Score distillation calls both in every step.
            turns.join(self.model.unet, self.model.vae)
        self.config = config or LiveSketchConfig()
        self.size = self.config.output_size or max(self.model.size, STROKES_SIZE)
        self.chooser = (
            Chooser(self.config.clip_model, loading.device) if self.config.tries > 1 else None
        )

    def read(
        self,
        content: bytes,
        sketches: SketchConfig,
        sampling: SamplingConfig,
        own: LiveSketchConfig | None,
    ) -> ReadSketch:
        drawing, notes = read_drawing(content, sketches, trace=(own or self.config).trace)
        return ReadSketch(draw_strokes(drawing, drawing.points, self.size), drawing, notes)

    def animate(self, requests: list[ClipRequest]) -> Sequence[StrokeClip]:
        tries = []
        for number in range(self.config.tries):
            seeds = [try_seed(request.seed, number) for request in requests]
            moved = graphs_of(self.model.unet).run_freeing(
                functools.partial(self.move, requests, seeds)
            )
            tries.append(
                [
                    StrokeClip(request.drawing, points, self.size)
                    for request, points in zip(requests, moved, strict=True)
                ]
            )
        return [
            self.choose(request, clips)
            for request, clips in zip(requests, zip(*tries, strict=True), strict=True)
        ]

    def choose(self, request: ClipRequest, tries: Sequence[StrokeClip]) -> StrokeClip:
        """Return the best of a row's tries; one that went wrong only if all have."""
        whole = [clip for clip in tries if np.isfinite(clip.points).all()]
        if self.chooser is None or len(whole) < 2:
            return (whole or tries)[0]
        drawn = [clip.draw(request.sampling).frames for clip in whole]
        return whole[self.chooser.choose(drawn, request.prompts)]

    def move(self, requests: Sequence[ClipRequest], seeds: Sequence[int]) -> list[np.ndarray]:
        """Return the points of each clip's frames, float64 (F, P, 2): a segment for each prompt,
        which begins with the points that the one before has ended with."""
        drawings: list[VectorSketch] = [request.drawing for request in requests]
        clips: list[list[np.ndarray]] = [[] for _ in drawings]
        for segment in range(count_segments(requests)):
            moved = animate_vectors(
                self.model,
                drawings,
                [request.conditioning(segment) for request in requests],
                [segment_seed(seed, segment) for seed in seeds],
                self.config,
            )
            for clip, points in zip(clips, moved, strict=True):
                clip.append(points if segment == 0 else points[1:])
            drawings = [
                # A clip that went wrong is one already; what comes of it must not harm the others.
                replace(drawing, points=points[-1]) if np.isfinite(points).all() else drawing
                for drawing, points in zip(drawings, moved, strict=True)
            ]
        return [np.concatenate(clip) for clip in clips]
