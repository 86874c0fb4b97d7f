"""Sketches as a check found them: those that a run would refuse, repair, or take as they are."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from flipsketch.corpus.collection import Noun
from flipsketch.corpus.notes import kind_of
from flipsketch.corpus.reasons import FailedRow, FailureGroups, reason_of
from flipsketch.storage.sources import name_source
from flipsketch.storage.text import count

Kind = Literal["refused", "repaired", "clean"]
KINDS: tuple[Kind, ...] = ("refused", "repaired", "clean")
GROUPS_PRINTED = 20
# Sketches of one reason that share a section with others.
FEW = 3
OTHERS: dict[Kind, str] = {
    "refused": "for various reasons, each given with its sketch",
    "repaired": "with various notes, each given with its sketch",
}


@dataclass(frozen=True)
class CheckedSketch:
    number: int
    """Of its row or file, from 1."""
    id: str
    source: str | None
    """Its path or URI; None where the manifest holds the file itself."""
    notes: tuple[str, ...] = ()
    """What was repaired or left out."""
    error: str | None = None
    """Why a run would refuse it, without its path."""
    picture: bytes | None = None
    """PNG of what the model would see."""
    original: bytes | None = None
    """PNG of what the file shows, where that may be something else."""
    svg: bytes | None = None
    """The file, in the same case, if it is an SVG that is not too large to show."""
    is_light: bool = False
    """The file shows on a dark page alone."""

    @property
    def kind(self) -> Kind:
        return "refused" if self.error else "repaired" if self.notes else "clean"

    @property
    def name(self) -> str:
        return name_source(self.source) if self.source else self.id or f"row {self.number:,}"

    @property
    def note_kinds(self) -> tuple[str, ...]:
        """The notes without their figures."""
        return tuple(map(kind_of, self.notes))

    @property
    def reason(self) -> str:
        """What it has in common with others that were refused or repaired."""
        return reason_of(self.error, self.source) if self.error else ", ".join(self.note_kinds)


@dataclass
class Section:
    """Sketches of one reason."""

    kind: Kind
    title: str
    num_sketches: int
    """In the collection; those that are shown may be fewer."""
    shown: list[CheckedSketch] = field(default_factory=list)

    def describe(self, noun: Noun) -> str:
        refused = "refused, " if self.kind == "refused" else ""
        return f"{refused}{count(self.num_sketches, noun)}: {self.title}"


class Check:
    """What was found so far, of any number of sketches."""

    def __init__(self, noun: Noun = "row", num_shown: int = 0) -> None:
        """
        Args:
            num_shown: sketches of each kind that are kept with their pictures.
        """
        self.noun, self.num_shown = noun, num_shown
        self.counts: Counter[Kind] = Counter()
        self.refused, self.repaired = FailureGroups(), FailureGroups()
        self.reasons: Counter[tuple[Kind, str]] = Counter()
        self.shown: dict[Kind, list[CheckedSketch]] = {kind: [] for kind in KINDS}

    def add(self, sketch: CheckedSketch) -> None:
        kind = sketch.kind
        self.counts[kind] += 1
        self.reasons[kind, sketch.reason] += 1
        number = sketch.number if self.noun == "row" else None
        if sketch.error:
            self.refused.add(FailedRow(number, sketch.id, sketch.source, sketch.error))
        else:
            for note in sketch.note_kinds:
                self.repaired.add(FailedRow(number, sketch.id, sketch.source, note))
        if len(self.shown[kind]) < self.num_shown:
            self.shown[kind].append(sketch)

    @property
    def num_sketches(self) -> int:
        return self.counts.total()

    def describe(self) -> list[str]:
        """Return what to print."""
        lines = [
            f"opened: {count(self.num_sketches, self.noun)}; a run would refuse "
            f"{self.counts['refused']:,}, repair or note {self.counts['repaired']:,} and take "
            f"{self.counts['clean']:,} as they are"
        ]
        for label, found in (("refuse:", self.refused), ("notes: ", self.repaired)):
            groups = found.by_size()
            shown = groups[:GROUPS_PRINTED]
            lines += [
                f"{label} {count(group.num_rows, self.noun)}: {group.with_example}"
                for group in shown
            ]
            if len(groups) > GROUPS_PRINTED:
                others = count(len(groups) - GROUPS_PRINTED, "other kind")
                lines.append(
                    f"{label} {others}; jobs/check_sketches.py with --json, or with --output "
                    f"table.jsonl, has all"
                )
        return lines

    def to_json(self) -> dict[str, Any]:
        return {
            "sketches": self.num_sketches,
            **{kind: self.counts[kind] for kind in KINDS},
            "reasons": [group.to_json() for group in self.refused.by_size()],
            "repairs": [group.to_json() for group in self.repaired.by_size()],
        }

    def sections(self, kinds: tuple[Kind, ...]) -> list[Section]:
        """Return the sketches that are shown, of so many in all as of each kind: refused ones
        first, those of a frequent reason before others, and those of rare ones together."""
        sections: dict[tuple[Kind, str], Section] = {}
        others: dict[Kind, Section] = {}
        for sketch in self.iterate_shown(kinds):
            key = kind, reason = sketch.kind, sketch.reason
            if self.reasons[key] < FEW and kind != "clean":
                other = others.setdefault(kind, Section(kind, OTHERS[kind], self.count_few(kind)))
                other.shown.append(sketch)
                continue
            if key not in sections:
                title = self.refused.groups[reason].text if kind == "refused" else reason
                title = title or "taken as they are"
                sections[key] = Section(kind, title, self.reasons[key])
            sections[key].shown.append(sketch)
        found = sorted(sections.values(), key=lambda section: -section.num_sketches)
        return [
            section
            for kind in kinds
            for section in (*found, *others.values())
            if section.kind == kind
        ]

    def count_few(self, kind: Kind) -> int:
        """Return how many sketches are of a reason that few others are of."""
        return sum(n for (own, _), n in self.reasons.items() if own == kind and n < FEW)

    def iterate_shown(self, kinds: tuple[Kind, ...]) -> Iterator[CheckedSketch]:
        left = self.num_shown
        for kind in kinds:
            yield from self.shown[kind][:left]
            left -= min(left, len(self.shown[kind]))
