"""Registration: a motion under which the strokes of a sketch cover a clip of pixels.

Least squares over the frames' ink, both blurred, less from phase to phase: at first strokes find
what they are far from, at last they lie on it. Only the motion is found, so that strokes stay
whole, whatever the clip makes of them.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d

from flipsketch.livesketch.grouping import group_shapes
from flipsketch.livesketch.motion import Lattice
from flipsketch.livesketch.rasterizer import VectorBatch
from flipsketch.livesketch.regularizers import Edges

# Pixels along a side of the pictures that are compared. The motion is smooth: more show no more.
SIZE = 64
MIN_LINE_WIDTH = 0.75


@dataclass(frozen=True)
class Phase:
    blur: float
    """Standard deviation in pixels."""
    num_updates: int
    node_rate: float
    """What an update moves a node of the lattice at most, in sides of the square."""


PHASES = (Phase(5.0, 40, 0.0), Phase(2.5, 40, 0.004), Phase(1.2, 50, 0.004))
AFFINE_RATE = 0.008
# A stroke is compared with what it would be if it had stayed, blurred as in the last phase, in
# frames in which it has moved by more than this, in sides of the square.
FAR = 2 / SIZE
# The strokes of a group have stayed if that explains so much more of the clip, as a share of all
# that it could. (1: all of it; -1: the motion does.)
STAYED = 0.2
# In squared pixels of ink a frame, added to what could be explained: of dots there is no telling.
LEAST = 4.0


def fit_motion(
    motion: Lattice, batch: VectorBatch, edges: Edges, ink: Tensor, rigidity: float
) -> None:
    """Set a lattice's parameters so that the strokes cover the ink of a clip (B, F, H, W).

    What the clip leaves in place while the rest of the sketch moves, such as the ground, is held
    there; strokes of one figure move or stay together.
    """
    still = batch.points.to(ink)
    ink = adaptive_avg_pool2d(ink, SIZE)
    with torch.no_grad():
        drawn = draw(batch, still[None])
    # A model's lines may be thicker than the sketch's.
    area = drawn.sum(dim=(2, 3), keepdim=True)
    ink = ink * (area / ink[:, :1].sum(dim=(2, 3), keepdim=True).clamp(min=1))
    motion.shift(centres(ink) - centres(ink[:, :1]))
    parameters = [{"params": [motion.nodes]}, {"params": [motion.affine]}]
    optimizer = torch.optim.Adam(parameters, lr=AFFINE_RATE, betas=(0.9, 0.9))
    for phase in PHASES:
        for update in range(phase.num_updates):
            is_last = phase is PHASES[-1]
            decay = 1 - 0.8 * update / phase.num_updates if is_last else 1.0
            for group, rate in zip(
                optimizer.param_groups, (phase.node_rate, AFFINE_RATE), strict=True
            ):
                group["lr"] = rate * decay
            points = still + motion()
            error = blur(draw(batch, points) - ink, phase.blur).square().sum(dim=(2, 3))
            # A dot's blurred square adds up to 1 / (4 pi blur^2).
            loss = error.mean(dim=1) * (4 * math.pi * phase.blur**2) / area[:, 0, 0, 0]
            loss = loss + rigidity * edges.stretch(points)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
        if not is_last:
            hold_strokes(motion, batch, ink)


@torch.no_grad()
def hold_strokes(motion: Lattice, batch: VectorBatch, ink: Tensor) -> None:
    """Hold the groups of strokes that have stayed where they were, and let go of all others.

    Where most strokes of a sketch have stayed, its motion is wrong: it begins anew at rest.
    """
    still = batch.points.to(ink)
    motion.hold(torch.zeros(len(still), dtype=torch.bool, device=still.device))
    points = still + motion()
    shape_of_point = torch.empty(len(still), dtype=torch.long, device=still.device)
    shape_of_point[batch.cubics] = batch.shape_of_cubic[:, None]
    alone = replace(
        batch,
        sketch_of_shape=torch.arange(len(batch.ink), device=still.device),
        sketch_of_point=shape_of_point,
        canvases=tuple(batch.canvases[sketch] for sketch in batch.sketch_of_shape.tolist()),
    )
    blurring = PHASES[-1].blur
    rest = blur(draw(batch, points) - ink, blurring)
    stayed = draw(alone, still[None])
    gain, most = still.new_zeros(2, len(batch.ink))
    num_points = torch.bincount(shape_of_point, minlength=len(gain))
    # Frame by frame: a drawing may have hundreds of strokes.
    for frame in range(1, len(points)):
        change = blur(stayed - draw(alone, points[frame : frame + 1]), blurring)[:, 0]
        error = rest[batch.sketch_of_shape, frame]
        lengths = (points[frame] - still).norm(dim=-1)
        is_far = torch.zeros_like(gain).index_add(0, shape_of_point, lengths) > FAR * num_points
        gain -= is_far * (2 * error * change + change.square()).sum(dim=(1, 2))
        most += is_far * (change.square().sum(dim=(1, 2)) + LEAST)
    groups, are_grounds = group_shapes(batch)
    sums = torch.stack([gain, most])
    gain, most = torch.zeros_like(sums).index_add(1, groups, sums)[:, groups]
    # Slid along itself, the ground looks nearly as if it had stayed.
    are_held = gain > most * torch.where(are_grounds, 0.0, STAYED)
    held = torch.bincount(batch.sketch_of_shape[are_held], minlength=len(batch.canvases))
    are_wrong = held > torch.bincount(batch.sketch_of_shape) / 2
    motion.nodes[are_wrong] = 0
    motion.affine[are_wrong] = 0
    motion.hold((are_held & ~are_wrong[batch.sketch_of_shape])[shape_of_point])


def draw(batch: VectorBatch, points: Tensor) -> Tensor:
    return batch.rasterize(points, SIZE, min_line_width=MIN_LINE_WIDTH)


def centres(ink: Tensor) -> Tensor:
    """Return the centres of mass (B, F, 2), x and y in sides of the square, of ink (B, F, S, S)."""
    places = (torch.arange(SIZE).to(ink) + 0.5) / SIZE
    mass = ink.sum(dim=(2, 3)).clamp(min=1e-3)
    x, y = (ink.sum(dim=dim) @ places / mass for dim in (2, 3))
    return torch.stack([x, y], dim=-1)


def blur(pictures: Tensor, deviation: float) -> Tensor:
    """Return pictures (B, F, S, S) blurred by a Gaussian; outside of them there is paper."""
    reach = math.ceil(3 * deviation)
    offsets = torch.arange(-reach, reach + 1).to(pictures)
    kernel = torch.exp(-offsets.square() / (2 * deviation**2))
    kernel = kernel / kernel.sum()
    flat = pictures.flatten(0, 1)[:, None]
    flat = conv2d(flat, kernel.view(1, 1, 1, -1), padding=(0, reach))
    flat = conv2d(flat, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return flat[:, 0].unflatten(0, pictures.shape[:2])
