"""Open every sketch of a manifest or a folder, and show what a run would refuse and repair."""

import json
import logging
import os
import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tyro.conf import Positional

from flipsketch.corpus.collection import Collection, ending_of, find_collection
from flipsketch.corpus.manifest import ManifestSummary, read_rows
from flipsketch.corpus.row import Row
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import SketchConfig
from flipsketch.media.contact_sheet import encode_png
from flipsketch.method.config import model_defaults
from flipsketch.method.methods import METHODS
from flipsketch.models.hub import NotFetchedError
from flipsketch.models.registry import find_settings
from flipsketch.report.checked_sketch import KINDS, Check, CheckedSketch, Kind
from flipsketch.report.sketch_page import build_pages
from flipsketch.report.sketch_sheet import draw_sheets
from flipsketch.storage.credentials import hide_credentials
from flipsketch.storage.errors import printable
from flipsketch.storage.location import is_uri, split_query
from flipsketch.storage.output_file import check_output, refuse_overwriting, write_file
from flipsketch.storage.sources import Place, Sources, names_file, parse_place
from flipsketch.storage.waiting import check_seconds
from pipelines.execution.isolated import Lost, call_isolated
from pipelines.execution.progress import ProgressBar
from pipelines.execution.sources import SourcesConfig
from pipelines.makers.sketch_opener import SketchOpener, unopened

log = logging.getLogger(__name__)

USUAL_SIZE = 256  # pixels, of ModelScope T2V
ROW_TIMEOUT_S = 60.0
# Columns of a row that say how its sketch is read.
OWN = {"trace"}


@dataclass(frozen=True, kw_only=True)
class CheckSketchesConfig:
    collection: Positional[str]
    """Folder of sketches, at any depth, a manifest, or one sketch: a path or a URI."""
    output: tuple[str, ...] = ()
    """Files to write, each a path or a URI: *.png for a sheet of the sketches, *.html for a page
    that opens in a browser, *.jsonl for a table with a line for each sketch. Large collections take
    several sheets or pages: sheet.png, sheet-2.png and so on. Without any, the findings are only
    printed."""
    only: Literal["all", "repaired", "refused"] = "all"
    """Which sketches sheets and pages show. All are opened and counted in any case."""
    num_sketches: int = 2000
    """Number of sketches that sheets and pages show, the first of each kind, refused ones before
    repaired ones."""
    model: str | None = None
    """Model that the sketches are for, as in jobs/animate_manifest.py: its size and its way to read
    sketches are taken. By default 256 pixels."""
    method: str = "flipsketch"
    """Method that the sketches are for; livesketch needs drawings of strokes and black fills."""
    trace: bool = False
    """For the method livesketch: trace other drawings."""
    size: int | None = None
    """Height and width in pixels of what the model sees, in place of the model's own."""
    sketches: SketchConfig = field(default_factory=SketchConfig)
    workers: int | None = None
    """Number of processes; by default one for each CPU."""
    row_timeout: float = 60.0
    """Seconds that a sketch may take once it is read; then it is refused, and its process ended."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    json: bool = False
    """Print the counts and the reasons as JSON, for scripts."""

    def __post_init__(self) -> None:
        for output in self.output:
            if ending_of(output) not in WRITERS:
                raise ValueError(f"--output must end in {', '.join(WRITERS)}, got {output}")
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method}")
        if self.trace and not METHODS[self.method].moves_strokes:
            raise ValueError(f"--trace is for the method livesketch, got {self.method}")
        for name, least, most in (
            ("size", 16, 1024),
            ("workers", 1, 256),
            ("num_sketches", 1, 10**5),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} must lie between {least} and {most:,}, got {value}")
        check_seconds("row_timeout", self.row_timeout)

    @property
    def livesketch(self) -> LiveSketchConfig | None:
        if not METHODS[self.method].moves_strokes:
            return None
        return LiveSketchConfig(trace=self.trace, output_size=self.size)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return KINDS if self.only == "all" else (self.only,)


def check_sketches(config: CheckSketchesConfig) -> int:
    """Open the sketches, print what was found and write the outputs; return 1 if any sketch is
    refused, else 0.

    Raises:
        ValueError, OSError: there is no sketch, the manifest cannot be used, or an output cannot be
            written.
    """
    for output in config.output:
        check_output(output)
        refuse_overwriting(output, [parse_place(config.collection)])
    collection = find_collection(config.collection)
    sources = config.sources.of(collection.manifest)
    if collection.noun == "file":
        for output in config.output:
            refuse_overwriting(output, locate_all((row.sketch for row in collection.rows), sources))
    size, darken = find_size(config)
    opener = SketchOpener(
        sources=sources,
        size=size,
        config=config.sketches,
        darken=darken,
        livesketch=config.livesketch,
        draws=any(ending_of(output) in (".png", ".html") for output in config.output),
    )
    check = Check(collection.noun, config.num_sketches if opener.draws else 0)
    table = []
    for sketch in open_sketches(
        collection.rows,
        opener,
        num_rows=collection.num_rows,
        workers=config.workers,
        limit_s=config.row_timeout,
    ):
        check.add(sketch)
        table.append(describe_sketch(sketch))
    shown = printable("\n".join(check.describe()))
    print(json.dumps(check.to_json(), indent=1) if config.json else shown)
    findings = Findings(config, collection, sources, size, check, table)
    for output in config.output:
        WRITERS[ending_of(output)](findings, output)
    return 1 if check.counts["refused"] else 0


def open_sketches(
    rows: Iterable[Row],
    opener: SketchOpener,
    *,
    num_rows: int,
    workers: int | None = None,
    limit_s: float = ROW_TIMEOUT_S,
) -> Iterator[CheckedSketch]:
    """Yield what a run would find of each row's sketch, in order; at a terminal a bar shows how far
    it is.

    Args:
        limit_s: for a sketch that has been read.
    """
    reading_s = opener.sources.timeout_s or 0.0
    counts: Counter[Kind] = Counter()
    opened = call_isolated(
        opener,
        (strip(row) for row in rows),
        num_processes=min(workers or len(os.sched_getaffinity(0)), num_rows),
        limit_s=reading_s + limit_s,
    )
    with ProgressBar(num_rows, unit="sketch", smoothing=0.05) as bar, closing(opened):
        for found in opened:
            if isinstance(found, Lost):
                found = replace(unopened(found.item), error=f"reading the sketch {found.reason}")
            counts[found.kind] += 1
            bar.show(counts.total(), f"refused={counts['refused']}, repaired={counts['repaired']}")
            yield found


def check_rows(
    manifest: str,
    summary: ManifestSummary,
    opener: SketchOpener,
    find_bad: Callable[[Row], str | None],
) -> int:
    """Open the sketches of a manifest's rows, but of those that cannot be made whatever their
    sketches, print what was found, and return how many rows would fail."""
    rows = (row for row in read_rows(manifest, summary) if find_bad(row) is None)
    check = Check()
    num_bad = summary.num_bad + len(summary.repeats)
    for sketch in open_sketches(rows, opener, num_rows=max(1, summary.num_rows - num_bad)):
        check.add(sketch)
    print(printable("\n".join(check.describe())))
    return num_bad + check.counts["refused"]


def strip(row: Row) -> Row:
    """Return a row without what has nothing to do with its sketch."""
    return replace(
        row, prompts=(), extra={name: row.extra[name] for name in OWN & row.extra.keys()}
    )


def find_size(config: CheckSketchesConfig) -> tuple[int, bool]:
    """Return height and width of what the model sees, and whether pale strokes are made black."""
    if config.model is None:
        return config.size or USUAL_SIZE, False
    darken = model_defaults(config.model).darken_sketch
    method = METHODS[config.method]
    try:
        own = method.frame_size(
            find_settings(config.model, method.list_parts(config.model)), config.size
        )
        return config.size or own, darken
    except NotFetchedError as error:
        log.warning("%s", error)
        return config.size or USUAL_SIZE, darken


def describe_sketch(sketch: CheckedSketch) -> dict[str, Any]:
    return {
        "row": sketch.number,
        "id": sketch.id,
        "sketch": sketch.source,
        "status": sketch.kind,
        "reason": sketch.reason,
        "error": sketch.error,
        "notes": list(sketch.notes),
    }


@dataclass(frozen=True)
class Findings:
    """What is written."""

    config: CheckSketchesConfig
    collection: Collection
    sources: Sources
    size: int
    check: Check
    table: list[dict[str, Any]]

    @property
    def title(self) -> str:
        return f"Sketches: {hide_credentials(split_query(self.config.collection)[0])}"

    def write_sheets(self, output: str) -> None:
        said = f"{self.title}, at {self.size} x {self.size} pixels"
        sections = self.check.sections(self.config.kinds)
        for number, sheet in enumerate(draw_sheets(said, sections, self.collection.noun), 1):
            self.write(numbered(output, number), encode_png(sheet))

    def write_pages(self, output: str) -> None:
        counts, sketches = self.check.counts, self.config.sketches
        facts = [
            ("Sketches", f"{self.check.num_sketches:,}"),
            ("Refused", f"{counts['refused']:,}"),
            ("Repaired, or noted", f"{counts['repaired']:,}"),
            ("Taken as they are", f"{counts['clean']:,}"),
            ("Size in pixels", f"{self.size} x {self.size}"),
            ("Paper, fit", f"{sketches.paper}, {sketches.fit}"),
        ]
        sections = self.check.sections(self.config.kinds)
        pages = build_pages(
            self.title,
            facts,
            self.check,
            sections,
            lambda number: posixpath.basename(split_query(numbered(output, number))[0]),
        )
        for number, page in enumerate(pages, 1):
            self.write(numbered(output, number), page.encode())

    def write_table(self, output: str) -> None:
        lines = (json.dumps(row) + "\n" for row in self.table)
        self.write(output, "".join(lines).encode())

    def write(self, location: str, content: bytes) -> None:
        # Again, for the sketches that a manifest names, and for sheets and pages after the first.
        if is_uri(location) or os.path.exists(location):
            sketches = (row["sketch"] for row in self.table)
            refuse_overwriting(location, locate_all(sketches, self.sources))
        write_file(location, content)
        log.info("-> %s", location)


WRITERS: dict[str, Callable[[Findings, str], None]] = {
    ".png": Findings.write_sheets,
    ".html": Findings.write_pages,
    ".jsonl": Findings.write_table,
}


def locate_all(sketches: Iterable[Any], sources: Sources) -> Iterator[Place]:
    """Yield where sketches lie, of those that are files."""
    for sketch in sketches:
        # Others are refused by what reads them.
        with suppress(ValueError):
            if isinstance(sketch, str) and names_file(sketch):
                yield sources.locate(sketch)


def numbered(output: str, number: int) -> str:
    """Return where the sheet or page of a number, from 1, is written."""
    path, query = split_query(output)
    stem, dot, ending = path.rpartition(".")
    return output if number == 1 else f"{stem}-{number}{dot}{ending}{query}"
