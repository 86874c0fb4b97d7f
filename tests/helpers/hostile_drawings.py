"""SVG files that try to read, fetch, expand or hang, drawn in a process that may do none of these.

    python -m tests.helpers.hostile_drawings

It prints a JSON object: what became of each file, and what drawing them opened.
"""

import gzip
import json
import os
import resource
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from flipsketch.svg.limits import MAX_BYTES, MAX_ELEMENTS

SIZE = 64
MEMORY = 500 * 2**20
SECONDS = 60
"""Of the processor, for all files; they take less than 10."""
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
LINE = '<path d="M8 32L56 32" stroke="black" stroke-width="4"/>'
RED = f'<svg {NAMESPACES}><rect id="a" width="64" height="64" fill="red"/></svg>'

REFERRING = (
    "use image feImage linearGradient radialGradient pattern textPath a script animate mpath tref "
    "cursor color-profile glyphRef font-face-uri altGlyph filter mask clipPath marker "
    "foreignObject iframe video audio embed object source link stop style"
).split()
PAINTS = (
    "fill stroke clip-path mask filter marker-start marker-mid marker-end marker cursor background "
    "background-image list-style-image content src shape-inside mask-image border-image"
).split()


def svg(body: str, root: str = 'viewBox="0 0 64 64"', before: str = "") -> bytes:
    """Return a file that draws a line after what is hostile."""
    return f"{before}<svg {NAMESPACES} {root}>{body}{LINE}</svg>".encode()


def readers(folder: Path) -> dict[str, bytes]:
    """Return files that refer to another in every element, attribute and style that takes one."""
    (folder / "secret.svg").write_text(RED)
    files = {}
    for scheme, url in {
        "file": f"file://{folder}/secret.svg#a",
        "path": f"{folder}/secret.svg#a",
        "relative": "secret.svg#a",
        "http": "http://127.0.0.1:9/secret.svg#a",
        "host": "//127.0.0.1:9/secret.svg#a",
        "data": "data:image/svg+xml;base64,PHN2Zy8+#a",
    }.items():
        for name in ("href", "xlink:href", "src", "data", "xml:base"):
            body = "".join(
                f'<{tag} {name}="{url}" width="64" height="64" id="b"><rect/></{tag}>'
                for tag in REFERRING
            )
            files[f"{name} {scheme}"] = svg(body)
        shapes, styles = [], []
        for name in PAINTS:
            shapes.append(f'<path d="M0 0H1" {name}="url({url})"/>')
            shapes.append(f"<path d='M0 0H1' style='{name}:url(\"{url}\") none'/>")
            styles.append(f"path[d='M0 0H1']{{{name}:url({url})}}")
        styles.append(f'@import "{url}"; @font-face{{font-family:a;src:url({url})}}')
        styles.append(f"path[d='M0 0H1']{{fill:\\75 rl({url});stroke:u\\72l({url}) none}}")
        body = f"<style>@import url({url});{''.join(styles)}</style>"
        files[f"paint {scheme}"] = svg(body + "".join(shapes))
        files[f"base {scheme}"] = svg('<use href="#a"/>', f'viewBox="0 0 64 64" xml:base="{url}"')
        files[f"stylesheet {scheme}"] = svg("", before=f'<?xml-stylesheet href="{url}"?>')
        files[f"DTD {scheme}"] = svg("", before=f'<!DOCTYPE svg SYSTEM "{url}">')
        files[f"parameter entity {scheme}"] = svg(
            "", before=f'<!DOCTYPE svg [<!ENTITY % a SYSTEM "{url}">%a;<!ENTITY b SYSTEM "{url}">]>'
        )
        files[f"XInclude {scheme}"] = svg(
            f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}" parse="text"/>'
        )
    return files


def expanding() -> dict[str, bytes]:
    """Return files that are harmless as they are written, and would draw without end."""
    files = {
        "use itself": svg(
            '<g id="a"><use href="#a"/></g><use href="#r"/>', 'viewBox="0 0 64 64" id="r"'
        ),
        "use each other": svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'),
        "gradients in a circle": svg(
            '<linearGradient id="a" href="#b"/><linearGradient id="b" href="#a"/>'
            '<path d="M0 0" fill="url(#a)"/>'
        ),
        "variables in a circle": svg(
            "<style>:root{--a:var(--b);--b:var(--a)}</style>"
            '<path d="M0 0H9" style="stroke-width:var(--a,var(--b,0))"/>'
        ),
        "turbulence": svg(
            '<filter id="f"><feTurbulence numOctaves="99999"/><feMorphology radius="1e6"/></filter>'
            '<g filter="url(#f)"/>'
        ),
        "scripts": svg(
            "<script>while(1);</script><g onload='while(1);'/><animate dur='1e-9s' "
            "repeatCount='indefinite'/><foreignObject><script>while(1);</script></foreignObject>"
        ),
        "unused entities": svg("", before=f"<!DOCTYPE svg [{''.join(laughs())}]>"),
    }
    for tag, name in (
        ("mask", "mask"),
        ("clipPath", "clip-path"),
        ("pattern", "fill"),
        ("marker", "marker-end"),
    ):
        inner = f'<path d="M0 0" {name}="url(#a)"/><use href="#a"/>'
        body = f'<{tag} id="a" width="9" height="9" {name}="url(#a)">{inner}</{tag}>'
        files[f"{tag} in itself"] = svg(f'{body}<path d="M0 0" {name}="url(#a)"/>')
    return files


def copies(levels: int, each: int, leaf: str = '<rect width="1" height="1"/>', tag="g") -> str:
    groups = [f'<{tag} id="a0">{leaf}</{tag}>']
    for before, level in pairwise(range(levels + 1)):
        uses = f'<use href="#a{before}"/>' * each
        groups.append(f'<{tag} id="a{level}">{uses}</{tag}>')
    return f'<defs>{"".join(groups)}</defs><use href="#a{levels}"/>'


def laughs() -> Iterator[str]:
    yield '<!ENTITY a0 "ha">'
    for before, level in pairwise(range(10)):
        yield f'<!ENTITY a{level} "{f"&a{before};" * 10}">'


def refused() -> dict[str, tuple[bytes, str]]:
    """Return files that cannot be drawn, with what the error says."""
    bomb = f"<!DOCTYPE svg [{''.join(laughs())}]>"
    return {
        "10^9 copies": (svg(copies(9, 10)), "copies"),
        "2^30 symbols": (svg(copies(30, 2, tag="symbol")), "copies"),
        "2^30 empty copies": (svg(copies(30, 2, "")), "copies"),
        "deep copies": (svg(copies(800, 1)), "levels"),
        "10^9 laughs": (svg("<title>&a9;</title>", before=bomb), "refer to each other"),
        "laughs in an attribute": (svg('<g id="&a9;"/>', before=bomb), "refer to each other"),
        "a long entity": (
            svg("&a;" * 999, before=f'<!DOCTYPE svg [<!ENTITY a "{"a" * 9999}">]>'),
            "entities expand to more",
        ),
        "an external entity": (
            svg("&a;", before='<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
            "lies in another file",
        ),
        ".svgz bomb": (gzip.compress(bytes(4 * MAX_BYTES), 1), "more than"),
        "deep groups": (svg("<g>" * 20_000 + "</g>" * 20_000), "more than"),
        "many elements": (svg("<g/>" * MAX_ELEMENTS), f"more than {MAX_ELEMENTS:,} elements"),
    }


def laborious() -> dict[str, bytes]:
    """Return files that would keep a renderer busy if it did not count first; what it refuses
    of these is its own choice."""
    rectangle = '<rect width="64" height="64"{}/>'
    white = ' fill="white"'
    small = '<rect width="1" height="1"/>'
    stops = '<stop stop-color="red"/><stop offset="1"/>'
    tile = '<pattern id="a" width="{0}" height="{0}" patternUnits="userSpaceOnUse">'
    rules = "".join(f"g .a path.c{i}{{fill:red}}" for i in range(500))
    files = {
        "10^6 dashes": svg('<path d="M0 0L64 64" stroke="red" stroke-dasharray="1e-5"/>'),
        "10^9 dashes": svg('<circle r="9e4" stroke="red" stroke-dasharray="1e-4"/>'),
        "dashes of dashes": svg(
            f'<path d="{"M0 0L64 64" * 900}" stroke="red" stroke-dasharray="{"1 .01 " * 900}"/>'
        ),
        "dashes by path length": svg(
            '<path d="M0 0L64 64" stroke="red" stroke-dasharray="1" pathLength="1e9"/>'
        ),
        "tiny tiles": svg(
            f"{tile.format(1e-4)}{small}</pattern>" + rectangle.format(' fill="url(#a)"')
        ),
        "a huge tile": svg(
            f"{tile.format(1e9)}<rect width='1e9' height='1e9'/></pattern>"
            + rectangle.format(' fill="url(#a)"')
        ),
        "tiny gradients": svg(
            f'<radialGradient id="a" r="1e-9" spreadMethod="repeat">{stops}</radialGradient>'
            + rectangle.format(' fill="url(#a)"')
        ),
        "many layers": svg(f'<g opacity=".5">{rectangle.format("") * 2}</g>' * 1500),
        "many masks": svg(
            f'<mask id="a">{rectangle.format(white)}</mask>'
            + rectangle.format(' mask="url(#a)"') * 1500
        ),
        "many clips": svg(
            '<clipPath id="a"><circle r="30"/><circle r="9" cx="40"/></clipPath>'
            + rectangle.format(' clip-path="url(#a)"') * 1500
        ),
        "many markers": svg(
            f'<marker id="a">{small * 90}</marker>'
            f'<path marker-mid="url(#a)" d="M0 0{"L1 1L2 0" * 5000}"/>'
        ),
        "crossing lines": svg(f'<path stroke="red" d="M0 0{"v64v-64h.001" * 15_000}"/>'),
        "wide joins": svg(
            '<path stroke="red" stroke-linejoin="round" stroke-width="900" '
            f'd="M0 0{"L64 64L0 0L9 3" * 3000}"/>'
        ),
        "far curves": svg(
            f'<path stroke="red" fill="none" d="M0 0{"C1e5 1e5 -1e5 -1e5 3 3" * 3000}"/>'
        ),
        "rules by elements": svg(
            f'<style>{rules}</style><g class="a">' + '<path class="c1"/>' * 4000 + "</g>"
        ),
        "variables of variables": svg(
            f"<style>:root{{--a0:1px;{''.join(doubled())}}}</style>"
            '<path d="M0 0H9" style="stroke-width:var(--a11)"/>' * 20
        ),
        "brackets": svg(f"<style>{'(' * 200_000}</style>"),
        "deep brackets": svg(f"<style>{':not(' * 5000}a{')' * 5000}{{}}</style>"),
        "deep functions": svg(f'<path d="M0 0" style="stroke-width:{"calc(" * 9000}"/>'),
        "quotes": svg(f"<style>{chr(34) * 200_000}</style>"),
        "spaces": svg(f'<path d="M0 0{" " * 500_000}x" transform="scale{" " * 300_000}x"/>'),
        "minuses": svg(f'<path d="M{"-" * 500_000}"/><g transform="{"(" * 300_000}"/>'),
    }
    for number in ("1e308", "-1e30", "1e-320", "NaN", "inf", "0", "-1", "9" * 5000):
        files[f"the number {number[:9]}"] = svg(numbers(number))
        files[f"a canvas of {number[:9]}"] = svg("", f'width="{number}" height="{number}"')
        files[f"a box of {number[:9]}"] = svg(
            '<path d="M-9-9H9"/>', f'viewBox="{number} 0 {number} {number}"'
        )
    return files


def doubled() -> Iterator[str]:
    for before, level in pairwise(range(12)):
        yield f"--a{level}:{f'var(--a{before}) ' * 10};"


def numbers(n: str) -> str:
    """Return elements in which every number is the same."""
    return (
        f'<path d="M{n} {n}L{n} 0C{n} 1 2 3 4 {n}A{n} {n} {n} 0 1 {n} {n}" stroke-width="{n}"/>'
        f'<rect x="{n}" width="{n}" height="9" rx="{n}"/><ellipse cx="{n}" rx="{n}" ry="1"/>'
        f'<circle r="{n}" opacity="{n}"/><g transform="scale({n}) rotate({n}) skewX({n})">'
        f'<path d="M0 0H9" stroke="red" stroke-miterlimit="{n}" stroke-dasharray="{n} 1"/></g>'
        f'<symbol id="a" viewBox="0 0 {n} {n}"><rect width="9" height="9"/></symbol>'
        f'<use href="#a" x="{n}" width="{n}"/><svg width="{n}" viewBox="{n} {n} 1 1"><path/></svg>'
        f'<linearGradient id="b" x1="{n}" gradientTransform="scale({n})"><stop offset="{n}"/>'
        f'<stop offset="1" stop-color="rgb({n},{n},{n})"/></linearGradient>'
        f'<mask id="c" x="{n}" width="{n}"><rect width="9" height="9"/></mask>'
        f'<pattern id="d" x="{n}" width="{n}" height="9" viewBox="0 0 {n} 9"><path/></pattern>'
        f'<rect width="9" height="9" fill="url(#b)" stroke="url(#d)" mask="url(#c)"/>'
    )


class Guard:
    """Notes what this process opens, and forbids it."""

    def __init__(self) -> None:
        self.is_on = False
        self.opened: list[str] = []
        sys.addaudithook(self.note)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.is_on or not event.startswith(("open", "socket.", "subprocess.", "os.exec")):
            return
        # A module is imported when it is needed first.
        if event == "open" and str(args[0]).endswith((".py", ".pyc")):
            return
        self.opened.append(f"{event} {args[0]}")
        raise PermissionError(self.opened[-1])


def main() -> None:
    from flipsketch.svg.reader import rasterize_svg

    folder = Path(sys.argv[1])
    files = {**readers(folder), **expanding(), **laborious()}
    files |= {name: content for name, (content, _) in refused().items()}
    # Where relative paths would lead.
    os.chdir(folder)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS,) * 2)
    guard = Guard()
    expected = rasterize_svg(svg(""), SIZE)
    outcomes = {}
    for name, content in files.items():
        guard.is_on = True
        try:
            drawn = rasterize_svg(content, SIZE)
            outcome = "only the line" if (drawn == expected).all() else "more than the line"
        except ValueError as error:
            outcome = f"refused: {error}"
        guard.is_on = False
        outcomes[name] = outcome
    print(json.dumps({"outcomes": outcomes, "opened": guard.opened}))


if __name__ == "__main__":
    main()
