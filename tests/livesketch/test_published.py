"""The published network against a re-statement of its code in plain functions."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from flipsketch.livesketch.augmentation import augment, draw_places, take
from flipsketch.livesketch.published import Mlp, PublishedNetwork, rate_share, sinusoids

POINTS, FRAMES = 7, 3


def restate(weights, offsets, kept, defects):
    """Return displacements (F, P, 2); `weights` are the network's own."""

    def run(name, x, *indices, last=True):
        """Linear layers at these places, with norm and activation behind all but the last."""
        for number, index in enumerate(indices):
            x = F.linear(x, weights[f"{name}.{index}.weight"], weights[f"{name}.{index}.bias"])
            if not last or number < len(indices) - 1:
                norm = f"{name}.{index + 1}"
                x = F.layer_norm(x, (128,), weights[f"{norm}.weight"], weights[f"{norm}.bias"])
                x = F.leaky_relu(x)
        return x

    tokens = []
    for token in range(FRAMES * POINTS):
        position = torch.zeros(128, dtype=offsets.dtype)
        for pair in range(64):
            angle = token * math.exp(-2 * pair / 128 * math.log(10000))
            position[2 * pair], position[2 * pair + 1] = math.sin(angle), math.cos(angle)
        projected = run("project", offsets[token % POINTS], 0, 3)
        tokens.append(projected + kept[token] * position / 0.9)
    tokens = torch.cat(tokens)
    local = run("local_head", tokens, 0, last=False)
    local = run("local_head.3", local, 0, 3, 6).reshape(FRAMES, POINTS, 2)
    shared = run("shared", tokens, 0, 3, last=False)
    shift = run("translation_head", shared, 0, 3, 6, 9).reshape(FRAMES, 2)
    angle = run("rotation_head", shared, 0, 3) * 0.01
    shear = run("shear_head", shared, 0, 3).reshape(FRAMES, 2)
    scale = shear if defects else run("scale_head", shared, 0, 3).reshape(FRAMES, 2)
    moved = torch.empty(FRAMES, POINTS, 2, dtype=offsets.dtype)
    for f in range(FRAMES):
        c, s = torch.cos(angle[f]), torch.sin(angle[f])
        (hx, hy), (sx, sy) = shear[f] * 0.1, 1 + scale[f] * 0.05
        for p, (x, y) in enumerate(offsets):
            moved[f, p, 0] = sx * (c - s * hx) * x + sy * (c * hy - s) * y + shift[f, 0]
            moved[f, p, 1] = sx * (s + c * hx) * x + sy * (s * hy + c) * y + shift[f, 1]
    return moved - offsets + local


@pytest.mark.parametrize("defects", [False, True])
def test_the_network_is_the_published_one(defects):
    torch.manual_seed(0)
    network = PublishedNetwork(POINTS, FRAMES, defects).double()
    network.positions = sinusoids(FRAMES * POINTS)
    offsets = 50 * torch.randn(POINTS, 2, dtype=torch.float64)
    kept = torch.rand(FRAMES * POINTS, 128, generator=torch.Generator().manual_seed(1)) >= 0.1
    found = network(offsets, torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = restate(dict(network.named_parameters()), offsets, kept, defects)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    found.sum().backward()
    gradients = [parameter.grad for parameter in network.scale_head.parameters()]
    assert all(gradient is None for gradient in gradients) == defects


@pytest.mark.parametrize(("points", "frames", "millions"), [(116, 10, 38), (600, 24, 472)])
def test_the_network_has_as_many_parameters_as_the_published_one(points, frames, millions):
    with torch.device("meta"):
        network = PublishedNetwork(points, frames)
    tokens = points * frames
    flattening, norm = 2 * (tokens * 128 + 1) * 128, 2 * 128
    square = 128 * 128 + 128
    rest = 3 * 128 + norm + square
    # Behind the two that flatten: local 2, shared 1, translation 3, rotation, shear and scale 1.
    rest += (2 + 1 + 3 + 1 + 1 + 1) * (square + norm) + 2 * norm
    outputs = 2 * tokens + (2 + 1 + 2 + 2) * frames
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == flattening + rest + 129 * outputs
    assert round(flattening / 1e6) == millions


def steps_of(defects, count=3):
    """Return the network's weights and those of a re-statement of the published loop, whose losses
    are what the displacements are worth to two fixed directions."""
    points = torch.rand(POINTS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mlp = Mlp([points], FRAMES, [torch.Generator().manual_seed(1)], defects).eval()
    copied = copy.deepcopy(mlp.networks[0])
    directions = torch.randn(2, FRAMES, POINTS, 2, dtype=torch.float64)
    objectives = mlp.objectives(1000)
    for _ in range(count):
        for objective, direction in zip(objectives, directions, strict=True):
            loss = (mlp() * direction).sum()
            mlp.zero_grad()
            loss.backward()
            objective.step()

    project, shared = [[*part.parameters()] for part in (copied.project, copied.shared)]
    heads = [copied.translation_head, copied.rotation_head, copied.shear_head, copied.scale_head]
    both = [
        project + [*copied.local_head.parameters()],
        project + shared + [weight for part in heads for weight in part.parameters()],
    ]
    local, whole = (
        torch.optim.Adam(weights, lr=rate, betas=(0.9, 0.9), eps=1e-6)
        for weights, rate in zip(both, (0.005, 0.0001), strict=True)
    )
    offsets = (points - points.mean(dim=0)) * 256
    for step in range(count):
        for optimizer, direction in zip((local, whole), directions, strict=True):
            local.zero_grad()
            if not defects:
                whole.zero_grad()
            (copied(offsets, None) / 256 * direction).sum().backward()
            decay = 0.1 + 0.9 * math.sin(math.pi / 2 * step / 100)
            decay *= math.exp(step / 1000 * math.log(0.4))
            optimizer.param_groups[0]["lr"] = (0.005 if optimizer is local else 0.0001) * decay
            optimizer.step()
    return mlp.networks[0], copied


@pytest.mark.parametrize("defects", [False, True])
def test_it_is_learned_as_published(defects):
    torch.manual_seed(0)
    found, expected = steps_of(defects)
    for (name, weight), other in zip(found.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=1e-12, msg=name)


def test_the_rates_rise_and_fall_as_published():
    # Of the published 0.1 x 0.002, its peak, and 0.0008 in the end.
    assert rate_share(0, 1000) == pytest.approx(0.1)
    assert rate_share(100, 1000) == pytest.approx(0.4**0.1)
    assert rate_share(1000, 1000) == pytest.approx(0.4)


def test_an_augmented_clip_is_seen_from_one_side_in_all_its_frames():
    ink = torch.zeros(2, 3, 16, 16)
    ink[:, :, 4:12, 4:12] = 1
    seen = augment(ink, [torch.Generator().manual_seed(seed) for seed in (1, 2)])
    assert torch.equal(seen[:, 0], seen[:, 1]) and torch.equal(seen[:, 0], seen[:, 2])
    assert not torch.allclose(seen[0], seen[1]) and not torch.allclose(seen[0], ink[0])
    alone = augment(ink[1:], [torch.Generator().manual_seed(2)])
    assert torch.equal(alone[0], seen[1])
    x, y = draw_places(16, torch.Generator().manual_seed(1))
    picture = torch.rand(3, 16, 16, dtype=torch.float64)
    grid = torch.stack([x, y], dim=-1)[None] / 8 - 1
    expected = F.grid_sample(picture[None], grid, align_corners=False)[0]
    torch.testing.assert_close(take(picture, x, y), expected)
    # What is shown is at least 40% of the area, and nothing is shown as larger than that makes it.
    assert 0 < seen.sum() / ink.sum() < 1 / 0.4
