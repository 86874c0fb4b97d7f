"""A vector animation as one SVG file that plays in a browser, and back into its frames.

The file is the first frame, with an `<animate>` of SMIL in each path that moves: a program that
does not know SMIL shows the first frame. A browser draws what lies between two frames too, since
the points of a path keep their number and order; it plays the file in an `<img>` as well.
"""

import math
import re

from flipsketch.svg.document import parse_strict, svg_name
from flipsketch.svg.limits import MAX_BYTES
from flipsketch.svg.page import read_page
from flipsketch.svg.reader import PATH_DATA
from flipsketch.svg.style import PROPERTIES

MAX_FRAMES = 256
MAX_ANIMATED_BYTES = 1 << 26
"""Of the file, and of its frames together."""

# No other element or attribute, so that the file cannot do more in a browser than move.
ELEMENTS = {"svg", "g", "path"}
ATTRIBUTES = {*PROPERTIES, "d", "style", "transform", "viewBox", "width", "height", "version"}
MOVING = b'><animate attributeName="d" '
MOVES = re.compile(rb'dur="([0-9.]+)s" repeatCount="indefinite" values="([^"<&]*)"/></path>')


def write_animated_svg(frames: list[bytes], frames_per_second: float = 10.0) -> bytes:
    """Return frames that differ in path data alone as one SVG that plays without end.

    Raises:
        ValueError: they differ in more, or are not svg, g and path elements with path data of
            absolute M, L, C and Z.
    """
    if not 0 < frames_per_second < math.inf:
        raise ValueError(f"frames_per_second must be a positive number, got {frames_per_second}")
    check_frames(frames)
    between, paths = split_frames(frames)
    # Not one frame more: after the last, the first follows at once.
    duration = f"{(len(frames) - 1) / frames_per_second:.4g}"
    written = [between[0]]
    for place, values in enumerate(paths):
        head, end, rest = between[place + 1].partition(b"/>")
        # A first path that stands still keeps the number of frames.
        is_moving = any(value != values[0] for value in values) or place == 0
        written += [values[0], head]
        if is_moving:
            written += [MOVING, b'dur="%ss" ' % duration.encode(), b'repeatCount="indefinite" ']
            written += [b'values="', b";".join(values), b'"/></path>']
        else:
            written.append(end)
        written.append(rest)
    return check_size(b"".join(written))


def read_animated_svg(svg: bytes) -> list[bytes]:
    """Return the frames of a file that `write_animated_svg` wrote, byte for byte.

    Raises:
        ValueError: it has another form, or is too large.
    """
    check_size(svg)
    rest, *animated = svg.split(MOVING)
    if not animated:
        raise ValueError("the SVG is not animated: it has no path with an <animate> of its d")
    # The text around each moving path's data, and its data in each frame.
    fixed, moving, durations = [], [], set()
    for place, piece in enumerate(animated):
        found = MOVES.match(piece)
        start, opening, tag = rest.rpartition(b"<")
        around = PATH_DATA.split(tag)
        values = found[2].split(b";") if found else []
        if found is None or len(around) != 3 or values[0] != around[1]:
            raise ValueError(
                f"the SVG's animation {place + 1} is not an <animate> as write_animated_svg "
                f"writes it, whose values begin with its path's d"
            )
        fixed.append(start + opening + around[0])
        moving.append(values)
        durations.add(found[1])
        rest = around[2] + b"/>" + piece[found.end() :]
    counts = {len(values) for values in moving}
    if len(counts) > 1 or len(durations) > 1 or not 2 <= min(counts) <= MAX_FRAMES:
        raise ValueError(
            f"the paths of the SVG have {sorted(counts)} frames and last {len(durations)} "
            f"different times; all must have the same, from 2 to {MAX_FRAMES} frames"
        )
    # Before they are made, so that a large file does not become many large frames.
    num_bytes = sum(map(len, fixed)) + len(rest)
    total = num_bytes * min(counts) + sum(len(value) for values in moving for value in values)
    if total > MAX_ANIMATED_BYTES:
        raise ValueError(f"the SVG's frames have more than {MAX_ANIMATED_BYTES:,} bytes together")
    frames = [
        b"".join(part for pair in zip(fixed, data, strict=True) for part in pair) + rest
        for data in zip(*moving, strict=True)
    ]
    check_frames(frames)
    split_frames(frames)
    return frames


def check_frames(frames: list[bytes]) -> None:
    """Raise ValueError unless the first frame has nothing but plain paths, and none is too large.

    What the other frames may differ in, path data, cannot hold markup.
    """
    if not 2 <= len(frames) <= MAX_FRAMES:
        raise ValueError(f"an animated SVG has 2 to {MAX_FRAMES} frames, got {len(frames)}")
    for number, frame in enumerate(frames):
        if len(frame) > MAX_BYTES:
            raise ValueError(f"frame {number} has {len(frame):,} bytes, the limit is {MAX_BYTES:,}")
    root = parse_strict(frames[0])
    for element in root.iter():
        tag = svg_name(element.tag)
        strange = [name for name in element.keys() if name not in ATTRIBUTES]
        if tag not in ELEMENTS or strange:
            what = f"the attribute {strange[0][:40]} of " if strange else ""
            raise ValueError(
                f"frame 0 has {what}an element <{(tag or element.tag)[:60]}>; an animated SVG has "
                f"svg, g and path elements with plain attributes"
            )
        if tag == "path" and len(element):
            raise ValueError("a path of frame 0 holds another element; take it out")
    texts = [text.decode() for text in PATH_DATA.findall(frames[0])]
    if texts != [element.get("d") for element in root.iter() if svg_name(element.tag) == "path"]:
        raise ValueError('path data of frame 0 is not d="..." of absolute M, L, C and Z alone')
    if not texts or any(mark in frames[0][1:] for mark in (b"<!", b"<?")):
        raise ValueError("frame 0 has no path, or a comment or instruction, which is not kept")
    read_page(root, 1)


def split_frames(frames: list[bytes]) -> tuple[list[bytes], list[tuple[bytes, ...]]]:
    """Return the text that all frames share, around their path data, and each path's data by frame.

    Raises:
        ValueError: the frames differ elsewhere, or a path is not written as one empty element.
    """
    pieces = [PATH_DATA.split(frame) for frame in frames]
    between = pieces[0][::2]
    for number, piece in enumerate(pieces):
        if piece[::2] != between:
            raise ValueError(
                f"frame {number} differs from frame 0 in more than path data; the frames of one "
                f"animation have the same elements, styles and canvas"
            )
    if any(b">" in text.partition(b"/>")[0] for text in between[1:]):
        raise ValueError("a path of frame 0 is not written as one empty element, <path .../>")
    return between, list(zip(*(piece[1::2] for piece in pieces), strict=True))


def check_size(svg: bytes) -> bytes:
    if len(svg) > MAX_ANIMATED_BYTES:
        raise ValueError(
            f"the animated SVG has {len(svg):,} bytes, the limit is {MAX_ANIMATED_BYTES:,}; use "
            f"a simpler sketch or fewer frames"
        )
    return svg
