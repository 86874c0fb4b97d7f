"""Notes on how sketches were read, counted: what was repaired, left out, or looks wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping

from flipsketch.storage.text import count

COLUMN = "sketch_notes"
"""Of the metadata: a list of texts, null where the sketch was not read."""


def kind_of(note: str) -> str:
    """Return a note without its figures: "whitened the paper: (250, 240, 200)" -> "whitened the
    paper"."""
    return note.partition(":")[0]


def count_notes(notes: Iterable[Iterable[str] | None]) -> Counter[str]:
    """Return how many rows have a note of each kind, by what each row has."""
    return Counter(kind for row in notes for kind in {kind_of(note) for note in row or ()})


def describe_notes(counts: Mapping[str, int]) -> str:
    """Return the kinds of notes, the most frequent first: "whitened the paper (12 rows)"."""
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{kind} ({count(number, 'row')})" for kind, number in most)
