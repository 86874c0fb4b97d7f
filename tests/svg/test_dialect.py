"""Any file in the dialect is drawn as cairosvg draws it, which shares no code with ours."""

import io

import cairosvg
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from flipsketch.svg.reader import read_drawing
from flipsketch.svg.render import Shape, draw
from flipsketch.svg.strokes import split_subpaths

SIZE = 64

number = st.integers(-40, 340).map(lambda value: value / 4)
length = st.integers(4, 160).map(lambda value: value / 4)
colour = st.sampled_from(["black", "none", "#c33", "rgb(0, 90, 200)", "rgba(20,160,60,0.5)", "red"])


def numbers(count: int):
    return st.lists(number, min_size=count, max_size=count).map(
        lambda values: " ".join(f"{value:g}" for value in values)
    )


@st.composite
def paths(draw):
    """Path data with every command, absolute and relative."""
    counts = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2}
    parts = [f"M{draw(numbers(2))}"]
    for letter in draw(st.lists(st.sampled_from("LHVCSQTAZM"), min_size=1, max_size=6)):
        if letter == "A":
            flags = f"{draw(st.sampled_from('01'))} {draw(st.sampled_from('01'))}"
            turn = draw(st.sampled_from([0, 30, -45]))
            radii = f"{draw(length)} {draw(length)}"
            parts.append(f"A{radii} {turn} {flags} {draw(numbers(2))}")
        elif letter == "Z":
            # Of a move and a close alone SVG 2 draws the caps, cairosvg nothing.
            parts += ["Z"] if parts[-1][0] not in "MmZ" else []
        else:
            letter = draw(st.sampled_from([letter, letter.lower()]))
            parts.append(f"{letter}{draw(numbers(counts[letter.upper()]))}")
    return f'<path d="{"".join(parts)}"'


@st.composite
def basic_shapes(draw):
    kind = draw(st.sampled_from(["line", "polyline", "polygon", "circle", "ellipse", "rect"]))
    if kind in ("polyline", "polygon"):
        return f'<{kind} points="{draw(numbers(6))}"'
    names = {
        "line": ("x1", "y1", "x2", "y2"),
        "circle": ("cx", "cy", "r"),
        "ellipse": ("cx", "cy", "rx", "ry"),
        "rect": ("x", "y", "width", "height"),
    }[kind]
    values = [
        draw(length if name in ("r", "rx", "ry", "width", "height") else number) for name in names
    ]
    return f"<{kind} " + " ".join(f'{n}="{v:g}"' for n, v in zip(names, values, strict=True))


@st.composite
def looks(draw):
    """Attributes of paint, some of them in a style."""
    properties = {
        "fill": draw(colour),
        "stroke": draw(colour),
        "stroke-width": draw(st.sampled_from(["0.5", "2", "3.5", "6"])),
        "stroke-linecap": draw(st.sampled_from(["butt", "round", "square"])),
        "stroke-linejoin": draw(st.sampled_from(["miter", "round", "bevel"])),
        "fill-rule": draw(st.sampled_from(["nonzero", "evenodd"])),
        "stroke-opacity": draw(st.sampled_from(["1", "0.5"])),
    }
    styled = draw(st.sets(st.sampled_from(sorted(properties))))
    plain = " ".join(f'{name}="{properties[name]}"' for name in properties if name not in styled)
    style = ";".join(f"{name}:{properties[name]}" for name in sorted(styled))
    return f'{plain} style="{style}"'


transforms = st.sampled_from(
    [
        "",
        'transform="translate(5, -3)"',
        'transform="rotate(30 32 32)"',
        'transform="scale(0.5 1.25)"',
        'transform="matrix(1 0.25 -0.5 1 10 2) scale(.8)"',
        'transform="skewX(20)"',
    ]
)


@st.composite
def files(draw):
    body = ""
    for shape in draw(st.lists(st.one_of(paths(), basic_shapes()), min_size=1, max_size=4)):
        element = f"{shape} {draw(looks())} {draw(transforms)}/>"
        body += draw(st.sampled_from([element, f"<g {draw(transforms)}>{element}</g>"]))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{body}</svg>'.encode()


def has_square_dot(shape: Shape) -> bool:
    """Of a line without length SVG draws the square caps, cairosvg nothing."""
    spans = (
        np.ptp([segment[1][-2:] for segment in subpath if segment[1]], axis=0).max()
        for subpath in split_subpaths(shape.segments)
    )
    return shape.paint["stroke-linecap"] == "square" and min(spans) < 0.1


@settings(max_examples=300, deadline=None, derandomize=True)
@given(files())
def test_any_file_of_the_dialect_is_drawn_as_cairosvg_draws_it(svg):
    width, height, shapes, _ = read_drawing(svg, SIZE)
    assume(not any(map(has_square_dot, shapes)))
    png = cairosvg.svg2png(svg, output_width=width, output_height=height, background_color="white")
    expected = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert np.abs(draw(shapes, width, height) - expected).max() <= 1
