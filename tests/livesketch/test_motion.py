import numpy as np
import torch

from flipsketch.livesketch.motion import Lattice, transform
from flipsketch.livesketch.resampling import resample_points

FRAMES = 6


def draw_lattice(points=None, scale=0.1):
    generator = torch.Generator().manual_seed(0)
    if points is None:
        points = [torch.rand(number, 2, generator=generator).double() for number in (9, 5)]
    lattice = Lattice(points, FRAMES)
    with torch.no_grad():
        for parameter in lattice.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)
    return lattice, torch.cat(points)


@torch.no_grad()
def test_whatever_its_parameters_frame_0_does_not_move():
    for dtype in (torch.float32, torch.float64):
        lattice, _ = draw_lattice([torch.rand(9, 2, dtype=dtype), torch.rand(5, 2, dtype=dtype)])
        moved = lattice()
        assert moved.shape == (FRAMES, 14, 2)
        assert (moved[0] == 0).all() and moved[1:].abs().amin(dim=(1, 2)).min() > 0


@torch.no_grad()
def test_a_point_moves_as_the_re_stated_lattice_says():
    lattice, points = draw_lattice()
    moved, row = lattice(), points[:9]
    low, high = row.min(dim=0).values, row.max(dim=0).values
    centre, reach = (low + high) / 2, (high - low).max() / 2
    nodes_at = [
        torch.stack([reach * (x - 2) / 2, reach * (y - 2) / 2]) for x in range(5) for y in range(5)
    ]
    for frame in range(FRAMES):
        basis = torch.tensor(
            [(np.cos(np.pi * k * frame / (FRAMES - 1)) - 1) / k for k in (1, 2, 3, 4)]
        )
        nodes = (lattice.nodes[0] * basis[:, None, None]).sum(dim=0)
        x_shift, y_shift, angle, log_x, log_y, shear = (
            (lattice.affine[0] * basis[:, None]).sum(dim=0).tolist()
        )
        for number, point in enumerate(row):
            weights = [
                torch.exp(-(point - centre - node).square().sum() / (reach**2 / 2))
                for node in nodes_at
            ]
            bent = (
                point
                - centre
                + sum(weight * shift for weight, shift in zip(weights, nodes, strict=True))
                / sum(weights)
            )
            x, y = bent * torch.tensor([log_x, log_y]).exp()
            x = x + shear * y
            expected = torch.stack(
                [
                    np.cos(angle) * x - np.sin(angle) * y + x_shift,
                    np.sin(angle) * x + np.cos(angle) * y + y_shift,
                ]
            )
            torch.testing.assert_close(moved[frame, number] + point, expected + centre)


def test_a_rotation_keeps_lengths():
    offsets = torch.randn(7, 2, dtype=torch.float64)
    turned = transform(offsets, torch.tensor([[0.3, -0.1, 2.0, 0, 0, 0]]).double())[0]
    torch.testing.assert_close(torch.pdist(turned), torch.pdist(offsets))
    assert not torch.allclose(turned, offsets)


@torch.no_grad()
def test_rows_are_their_own():
    lattice, points = draw_lattice()
    before = lattice()
    lattice.nodes[1] += 1
    after = lattice()
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.isclose(before[1:, 9:], after[1:, 9:]).any()


def test_a_dot_and_a_line_move_without_nan():
    points = [torch.full((4, 2), 0.5), torch.tensor([[0.1, 0.5], [0.9, 0.5]])]
    lattice, _ = draw_lattice(points)
    moved = lattice()
    moved.square().sum().backward()
    assert moved.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in lattice.parameters())


@torch.no_grad()
def test_curves_may_be_sampled_at_any_frame_rate():
    lattice, points = draw_lattice()
    # Without a rotation or a scale, whose cosines are no cosines of time.
    lattice.affine[..., 2:] = 0
    frames = (points + lattice()).numpy()
    dense = resample_points(frames, 31)
    np.testing.assert_allclose(dense[:: 30 // (FRAMES - 1)], frames, atol=1e-12)
    expected = points + lattice.at(torch.linspace(0, 1, 31, dtype=torch.float64))
    np.testing.assert_allclose(dense, expected, atol=1e-9)
    np.testing.assert_array_equal(dense[0], frames[0])
