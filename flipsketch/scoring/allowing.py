"""Which clips may be put to a use, by the licenses of all that they were made of and with."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from flipsketch.corpus.licenses import NOT_STATED, Use, resolve_license
from flipsketch.corpus.passport import (
    LICENSE,
    PARTS,
    SCORER,
    SCORER_LICENSE,
    join_licenses,
    licenses_of,
    read_license,
)
from flipsketch.corpus.plan import UNKNOWN, Plan
from flipsketch.corpus.restrictions import PartLicense, describe_restriction
from flipsketch.scoring.scored_clips import ScoredClips

log = logging.getLogger(__name__)

COLUMNS = {LICENSE, "method", *(name for names in PARTS.values() for name in names)}
Refusal = tuple[str, str]
"""A part of clips, and its license with what this says of a use."""
# Of the licenses of a part for which clips were left out, the most frequent.
MOST_NAMED = 5


def find_allowed(uses: Sequence[Use], clips: ScoredClips, plan: Plan) -> np.ndarray:
    """Return for each clip whether every part of it allows every use (N,), and log what was left
    out for which part."""
    combinations = list(list_licenses(clips, plan))
    counts = Counter(combinations)
    allowed = np.ones(len(clips), bool)
    for part, license in dict.fromkeys(chain(*counts)) if uses else ():
        if resolve_license(license) == NOT_STATED:
            log.warning(describe_restriction(part, license))
    for use in uses:
        refusals = {parts: list_refusals(use, parts) for parts in counts}
        holds = np.array([not refusals[parts] for parts in combinations], bool)
        reasons = Counter[Refusal]()
        for parts, number in counts.items():
            reasons += Counter(dict.fromkeys(refusals[parts], number))
        log.info("allows %s: %d of %d clips%s", use, holds.sum(), len(clips), describe(reasons))
        allowed &= holds
    return allowed


def list_licenses(clips: ScoredClips, plan: Plan) -> Iterator[tuple[PartLicense, ...]]:
    """Yield the parts of each clip with their licenses; the scorer is a part, since a corpus has
    its scores and was chosen by them."""
    names = [name for name in clips.metadata.column_names if name in COLUMNS]
    columns = [clips.metadata[name].to_pylist() for name in names]
    # Lists and numbers too, in a manifest's own column of that name.
    columns = [
        list(map(read_license, column)) if name == LICENSE else column
        for name, column in zip(names, columns, strict=True)
    ]
    # A corpus has few combinations, however many clips.
    known: dict[tuple[Any, ...], tuple[PartLicense, ...]] = {}
    for values in zip(clips.scores[SCORER_LICENSE].to_pylist(), *columns, strict=True):
        if values not in known:
            scorer, *own = values
            parts = licenses_of(dict(zip(names, own, strict=True)), plan)
            # Clips may have been chosen by another one before.
            before = [parts[SCORER]] if SCORER in parts else []
            parts[SCORER] = join_licenses([*before, scorer or UNKNOWN])
            known[values] = tuple(parts.items())
        yield known[values]


def list_refusals(use: Use, parts: Iterable[PartLicense]) -> list[Refusal]:
    found = [(part, resolve_license(license)) for part, license in parts]
    return [
        (part, f"{terms.name} ({terms.of(use)})") for part, terms in found if terms.of(use) != "yes"
    ]


def describe(reasons: Counter[Refusal]) -> str:
    """Return what was left out, part by part; a clip counts for each part that refuses it."""
    said = ""
    for part in dict.fromkeys(part for part, _ in reasons):
        own = Counter({license: n for (of, license), n in reasons.items() if of == part})
        named = [f"{number} {license}" for license, number in own.most_common(MOST_NAMED)]
        if more := len(own) - len(named):
            named.append(f"others of {more} more licenses")
        said += f"; left out for the {part}: {', '.join(named)}"
    return said
