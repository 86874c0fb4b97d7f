"""The middle of ink's lines: its skeleton as a graph, and the graph as strokes of a pen.

A skeleton has three faults, which are mended here: spurs where an outline is rough, two junctions
with a bridge between them where two lines cross, and a bend at every junction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.ndimage import convolve, distance_transform_edt, label
from skimage.morphology import skeletonize

EIGHT = np.ones((3, 3), int)
# In half widths of the line at the junction. What sticks out of a junction's disc by less is a
# spur; lines that cross at 40 degrees have junctions this far apart.
SPUR, BRIDGE = 0.8, 3.0
# A line's direction at a junction is measured between these distances from it, in half widths.
NEAR, FAR = 1.2, 5.0
# Lines that turn by more at a junction are two strokes.
MAX_TURN = np.radians(50)

# One end of an edge: the edge's number, and 0 or 1.
End = tuple[int, int]


@dataclass(eq=False)
class Edge:
    """A line between two junctions or ends of the skeleton."""

    points: np.ndarray
    """x and y of its pixels in order (n, 2)."""
    nodes: list[int]
    """The junction at either end, -1 at a free end."""

    def from_end(self, end: int) -> np.ndarray:
        return self.points if end == 0 else self.points[::-1]


@dataclass(frozen=True, eq=False)
class Line:
    """The middle of a stroke."""

    points: np.ndarray
    """x and y in pixels (n, 2); the corners of pixels are whole numbers."""
    is_closed: bool
    radius: float
    """Half of the stroke's width in pixels."""


class Graph:
    def __init__(self, ink: np.ndarray) -> None:
        self.radii = radii_of(ink)
        skeleton = skeletonize(ink)
        num_beside = convolve(skeleton.astype(int), EIGHT, mode="constant") - 1
        joints, num_joints = label(skeleton & (num_beside > 2), EIGHT)
        places = group_pixels(joints, num_joints)
        self.nodes = [place.mean(axis=0) for place in places]
        self.node_radii = [float(self.radii_at(place).max()) for place in places]
        lines = group_pixels(*label(skeleton & (joints == 0), EIGHT))
        self.edges = [Edge(line, find_nodes(line, joints)) for line in map(in_order, lines)]
        used = {node for edge in self.edges for node in edge.nodes}
        # A blot of a few pixels is a junction without lines.
        blots = [place[:1] for node, place in enumerate(places) if node not in used]
        self.edges += [Edge(blot, [-1, -1]) for blot in blots]

    def radii_at(self, points: np.ndarray) -> np.ndarray:
        return self.radii[points[:, 1], points[:, 0]]

    def ends(self) -> dict[int, list[End]]:
        """Return the ends of lines at each junction."""
        found: dict[int, list[End]] = {}
        for number, edge in enumerate(self.edges):
            for end, node in enumerate(edge.nodes):
                if node >= 0:
                    found.setdefault(node, []).append((number, end))
        return found

    def drop_spurs(self) -> None:
        while True:
            ends = self.ends()
            spurs = []
            for number, edge in enumerate(self.edges):
                node = max(edge.nodes)
                if min(edge.nodes) >= 0 or node < 0 or len(ends[node]) < 3:
                    continue
                tip = edge.from_end(edge.nodes.index(-1))[:1]
                reach = np.hypot(*(tip[0] - self.nodes[node])) + self.radii_at(tip)[0]
                if reach < (1 + SPUR) * self.node_radii[node]:
                    spurs.append((reach - self.node_radii[node], number))
            if not spurs:
                return
            # One at a time: of two at the end of a line the longer is how the line goes on.
            del self.edges[min(spurs)[1]]

    def join_bridged(self) -> None:
        """Make one junction of two with a short line between them."""
        while (bridge := self.find_bridge()) is not None:
            self.edges.remove(bridge)
            a, b = bridge.nodes
            self.nodes[a] = (self.nodes[a] + self.nodes[b]) / 2
            self.node_radii[a] = max(self.node_radii[a], self.node_radii[b])
            for edge in self.edges:
                edge.nodes = [a if node == b else node for node in edge.nodes]

    def find_bridge(self) -> Edge | None:
        ends = self.ends()
        for edge in self.edges:
            a, b = edge.nodes
            if min(a, b) < 0 or a == b or min(len(ends[a]), len(ends[b])) < 3:
                continue
            if len(edge.points) < BRIDGE * max(self.node_radii[a], self.node_radii[b]):
                return edge
        return None

    def continuations(self, ends: dict[int, list[End]]) -> dict[End, End]:
        """Return where a line that arrives at an end goes on, the straightest pairs first."""
        following: dict[End, End] = {}
        for node, here in ends.items():
            directions = [self.direction(end, node) for end in here]
            turns = [
                (float(np.arccos(np.clip(-directions[i] @ directions[j], -1, 1))), i, j)
                for i, j in combinations(range(len(here)), 2)
            ]
            for turn, i, j in sorted(turns):
                # Two lines alone are one with a corner.
                may_follow = turn < MAX_TURN or len(here) == 2
                if may_follow and not {here[i], here[j]} & following.keys():
                    following |= {here[i]: here[j], here[j]: here[i]}
        return following

    def direction(self, end: End, node: int) -> np.ndarray:
        """Return the direction in which a line leaves a junction, of length 1."""
        points = self.edges[end[0]].from_end(end[1])
        near, far = (round(share * self.node_radii[node]) for share in (NEAR, FAR))
        first, last = points[min(near, len(points) // 2)], points[min(far, len(points) - 1)]
        along = last - first if np.any(last != first) else last - self.nodes[node]
        return along / max(np.hypot(*along), 1e-9)

    def lines(self) -> Iterator[Line]:
        """Yield strokes, which go on straight through junctions."""
        ends = self.ends()
        following = self.continuations(ends)
        crossings = {node for node, here in ends.items() if len(here) > 2}
        every_end = [(number, end) for number in range(len(self.edges)) for end in (0, 1)]
        left = set(range(len(self.edges)))
        # What is left of those that begin somewhere goes round.
        for start in [*(end for end in every_end if end not in following), *every_end]:
            numbers: list[End] = []
            here = start
            while here[0] in left:
                left.remove(here[0])
                numbers.append(here)
                here = following.get((here[0], 1 - here[1]), (-1, 0))
            if numbers:
                yield self.make_line(numbers, following, crossings)

    def make_line(self, numbers: list[End], following: dict[End, End], crossings: set[int]) -> Line:
        edges = [self.edges[number] for number, _ in numbers]
        is_closed = numbers[0] in following or is_ring(edges[0])
        # Distances are measured to the middle of the nearest white pixel.
        radius = float(np.median(np.concatenate([self.radii_at(edge.points) for edge in edges])))
        radius = max(radius - 0.5, 0.5)
        pieces = [self.edges[number].from_end(end) for number, end in numbers]
        parts = [
            self.bent_back(piece, [node for node in edge.nodes if node in crossings])
            for piece, edge in zip(pieces, edges, strict=True)
        ]
        if not is_closed:
            # It begins and ends in the middle of the lines that it meets, or with a round cap.
            first, last = edges[0].nodes[numbers[0][1]], edges[-1].nodes[1 - numbers[-1][1]]
            whole = np.concatenate(pieces)
            parts.insert(0, self.last_point(whole[::-1], first, radius))
            parts.append(self.last_point(whole, last, radius))
        # A ring between two crossings may be all bend.
        points = np.concatenate([part for part in parts if len(part)] or pieces)
        return Line(points + 0.5, is_closed, radius)

    def last_point(self, points: np.ndarray, node: int, radius: float) -> np.ndarray:
        """Return where a line ends (1, 2): in a junction, or as far from the end of the ink as the
        pen's radius."""
        if node >= 0:
            return self.nodes[node][None]
        tip = points[-1]
        along = tip - points[max(-1 - round(FAR * radius), -len(points))]
        along = along / max(np.hypot(*along), 1e-9)
        reach = 0.0
        while along.any() and self.is_ink(tip + (reach + radius + 0.5) * along):
            reach += 0.5
        return (tip + reach * along)[None]

    def is_ink(self, point: np.ndarray) -> bool:
        x, y = np.round(point).astype(int)
        height, width = self.radii.shape
        return bool(0 <= x < width and 0 <= y < height and self.radii[y, x] > 0)

    def bent_back(self, points: np.ndarray, crossings: list[int]) -> np.ndarray:
        """Return a line's points without those that a crossing has bent."""
        for node in crossings:
            away = np.hypot(*(points - self.nodes[node]).T)
            points = points[away > NEAR * self.node_radii[node]]
        return points


def radii_of(ink: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the paper, in pixels; around the picture is paper."""
    return distance_transform_edt(np.pad(ink, 1))[1:-1, 1:-1]


def is_ring(edge: Edge) -> bool:
    is_whole = edge.nodes == [-1, -1] and len(edge.points) > 3
    return is_whole and bool(np.abs(edge.points[0] - edge.points[-1]).max() <= 1)


def group_pixels(labels: np.ndarray, count: int) -> list[np.ndarray]:
    """Return x and y (n, 2) of the pixels with each label from 1 to `count`."""
    y, x = np.nonzero(labels)
    found = labels[y, x]
    order = np.argsort(found, kind="stable")
    ends = np.cumsum(np.bincount(found, minlength=count + 1)[1:])
    return np.split(np.stack([x, y], axis=1)[order], ends[:-1]) if count else []


def in_order(points: np.ndarray) -> np.ndarray:
    """Return the pixels of a line from one end to the other; of a ring, from anywhere."""
    left = {(x, y) for x, y in points.tolist()}
    # Sides before corners, so that no pixel of a staircase is passed over.
    steps = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))

    def beside(pixel: tuple[int, int]) -> list[tuple[int, int]]:
        x, y = pixel
        return [(x + dx, y + dy) for dx, dy in steps if (x + dx, y + dy) in left]

    here = next((pixel for pixel in sorted(left) if len(beside(pixel)) < 2), min(left))
    found = [here]
    left.remove(here)
    while following := beside(here):
        here = following[0]
        found.append(here)
        left.remove(here)
    return np.array(found)


def find_nodes(points: np.ndarray, joints: np.ndarray) -> list[int]:
    """Return the junctions beside a line's two ends, -1 for none."""
    found = []
    for x, y in points[[0, -1]]:
        around = joints[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        found.append([int(number) - 1 for number in np.unique(around[around > 0])] or [-1])
    first, last = found
    if len(points) > 1:
        return [first[0], last[0]]
    # Both ends are the same pixel.
    return [first[0], first[1] if len(first) > 1 else -1]
