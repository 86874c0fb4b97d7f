"""Failed rows by their reason: many rows fail for few reasons, and one example shows what to do."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from flipsketch.storage.sources import name_source
from flipsketch.storage.text import count, one_line

# What differs from row to row in sentences that say the same, in the order in which it is replaced.
# A quote that was cut short ends with its clause; an apostrophe within a word opens none.
QUOTED = re.compile(
    r"""(?<!\w)b?(?:'(?:\\.|[^'\\]|'(?=\w))*'|"(?:\\.|[^"\\]|"(?=\w))*")(?!\w)"""
    r"""|(?<!\w)b?['"][^;]*"""
)
# Names of elements are told apart; what else stands in angle brackets is somebody's own.
BRACKETED = re.compile(r"<(?![A-Za-z]{1,20}>)[^<>]*>")
ADDRESS = re.compile(r"(?<![\w.<])(?:[a-z][a-z0-9+.-]*:/)?/[^\s,;:'\"()]+(?::[^\s,;:'\"()]+)*")
DIGEST = re.compile(r"\b(?:0x[0-9a-f]+|(?=[a-f]*\d)[0-9a-f]{8,})\b")
# Not the figures within names: UTF-8, 16-bit, float32, #112233.
FIGURE = re.compile(r"(?<![\w#.,-])[-+]?\d(?:[\d,._]*\d)?(?:e[-+]?\d+)?(?![\w]|-[A-Za-z])")
FIGURE_OR_N = re.compile(rf"{FIGURE.pattern}|\bN\b")
SIZE = re.compile(r"\b(\d+)x(\d+)\b")
MAX_ID = 80  # characters of an id that is an example
ROW = re.compile(r"row [\d,]+: ")
# A name of a file at the beginning: with a slash, or with an ending such as .svg.
PATH = re.compile(
    r"(?!\w+(?:Error|Exception): )"
    r"(?:[a-z][a-z0-9+.-]*:/[^\s]*|[^\s:]*[/\\][^:]*?|[^:]*?\.\w{1,8}): (?=\S)"
)


@dataclass(frozen=True)
class FailedRow:
    number: int | None
    """Position in the manifest, from 1; None where it is not known."""
    id: str
    """Empty where it has none that can be read."""
    source: str | None
    """The path or URI of its sketch, if it has one."""
    error: str


@dataclass
class FailureGroup:
    """Rows that failed for the same reason."""

    reason: str
    num_rows: int
    example: FailedRow
    """The first of them."""
    figures: tuple[str, ...]
    """Those of the reason, in their order; N where the rows differ."""

    def __str__(self) -> str:
        return f"{count(self.num_rows, 'row')}: {self.with_example}"

    @property
    def with_example(self) -> str:
        """The reason with what to do, and one of the rows."""
        such = "e.g. " if self.num_rows > 1 else ""
        return f"{self.text}; {such}{name_row(self.example)}"

    @property
    def text(self) -> str:
        """The reason, with the figures that all rows share; of a single row its own sentence, whose
        quotes can be searched for."""
        if self.num_rows == 1:
            return one_line(strip_source(self.example.error, self.example.source))
        figures = iter(self.figures)
        return re.sub(r"\bN\b", lambda match: next(figures, match[0]), self.reason)

    def to_json(self) -> dict[str, str | int | None]:
        example = self.example
        return {
            "reason": self.reason,
            "rows": self.num_rows,
            "row": example.number,
            "id": example.id,
            "sketch": example.source,
            "error": example.error,
        }


def reason_of(error: str, source: str | None = None) -> str:
    """Return what an error has in common with those of other rows: it is without its file, and with
    '...' for what is quoted and N for each figure.

    Args:
        source: the path or URI of the row's sketch; without it a path is known by its looks.
    """
    return split_reason(strip_source(error, source))[0]


def group_failures(rows: Iterable[FailedRow]) -> list[FailureGroup]:
    """Return the reasons for which rows failed, the most frequent first."""
    groups = FailureGroups()
    for row in rows:
        groups.add(row)
    return groups.by_size()


class FailureGroups:
    """The groups of rows as they come, of which no more is kept than one of each."""

    def __init__(self) -> None:
        self.groups: dict[str, FailureGroup] = {}

    def add(self, row: FailedRow) -> None:
        reason, figures = split_reason(strip_source(row.error, row.source))
        group = self.groups.setdefault(reason, FailureGroup(reason, 0, row, figures))
        group.num_rows += 1
        if figures != group.figures:
            pairs = zip(group.figures, figures, strict=True)
            group.figures = tuple(one if one == other else "N" for one, other in pairs)

    def by_size(self) -> list[FailureGroup]:
        """Return the groups, the largest first."""
        groups = self.groups.values()
        return sorted(groups, key=lambda group: (-group.num_rows, group.example.number or 0))


def name_row(row: FailedRow) -> str:
    """Return where a row is to be looked for: its number, and its sketch's file or its id."""
    name = name_source(row.source) if row.source else one_line(row.id, MAX_ID)
    return name if row.number is None else f"row {row.number:,} {name}".rstrip()


def strip_source(error: str, source: str | None) -> str:
    """Return an error without the row and the file that it begins with."""
    text = ROW.sub("", error, count=1) if ROW.match(error) else error
    if source and text.startswith(start := f"{source}: "):
        return text.removeprefix(start)
    if source and text.startswith(start := f"{name_source(source)}: "):
        return text.removeprefix(start)
    match = PATH.match(text)
    return text[match.end() :] if match else text


# Most rows of a reason are alike to the letter.
@functools.lru_cache(maxsize=1024)
def split_reason(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a reason with N for each figure, and its figures."""
    text = QUOTED.sub("'...'", text)
    text = BRACKETED.sub("<...>", text)
    text = ADDRESS.sub("'...'", text)
    text = SIZE.sub(r"\1 x \2", text)
    text = DIGEST.sub("'...'", text)
    figures = tuple(match[0] for match in FIGURE_OR_N.finditer(text))
    return FIGURE.sub("N", text), figures
