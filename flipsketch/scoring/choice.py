"""Which clips of a scored corpus are chosen: by what licenses allow, by conditions on their scores,
the best of each sketch and prompt, and one of near-duplicates."""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flipsketch.corpus.licenses import Use
from flipsketch.corpus.plan import Plan
from flipsketch.scoring.allowing import find_allowed
from flipsketch.scoring.scored_clips import ScoredClips
from flipsketch.scoring.selection import (
    best_of_each,
    parse_condition,
    parse_splits,
    rank_by,
    split_by,
)
from flipsketch.scoring.summary import MOST_COMPARED

log = logging.getLogger(__name__)

# What the clips of a sketch and a prompt may differ by is their seed.
GROUP = ("sketch_sha256", "prompt")


@dataclass(frozen=True, kw_only=True)
class Choice:
    keep: tuple[str, ...] = ("is_blank=false", "is_blackout=false", "is_still=false")
    """Conditions that a clip must meet, on any score or number in its metadata, such as
    s2v_consistency>=0.9. Look at the report before choosing a threshold."""
    allow: tuple[Use, ...] = ()
    """Uses that the licenses of all parts of a clip must allow: of model, adapter, motion adapter,
    sketch and scorer. A license that is not known, or not stated, allows nothing. By default
    licenses are not looked at."""
    best_by: str | None = None
    """Score by which the best clip of each sketch and prompt is kept, such as s2v_consistency; by
    default all clips are kept. Use it when a manifest has several seeds of each sketch."""
    best: Literal["highest", "lowest"] = "highest"
    """Whether the highest or the lowest score is best; lowest for warping_error, for example."""
    duplicate_cosine: float | None = 0.98
    """Cosine of two clips' features from which only one of them is kept; None keeps all."""
    splits: tuple[str, ...] = ("train=0.9", "val=0.05", "test=0.05")
    """Names and shares of the splits; all clips of a sketch go to the same one."""
    seed: int = 0
    """Seed of the splits; the same seed splits in the same way."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if self.duplicate_cosine is not None and not 0 < self.duplicate_cosine <= 1:
            raise ValueError(
                f"duplicate_cosine must be more than 0 and at most 1, got {self.duplicate_cosine}"
            )
        parse_splits(self.splits)


def choose(choice: Choice, clips: ScoredClips, plan: Plan) -> tuple[list[int], list[str]]:
    """Return the positions of the clips to keep, split by split, and the split of each.

    Args:
        plan: of their corpus.

    Raises:
        ValueError: a condition is none, or nothing is left.
    """
    kept = find_allowed(choice.allow, clips, plan) & meet(choice.keep, clips)
    places = np.flatnonzero(kept).tolist()
    ranks = np.zeros(len(clips))
    if choice.best_by is not None:
        ranks = rank_by(choice.best_by, clips.numbers, highest=choice.best == "highest")
        groups = list(zip(*(clips.metadata[name].to_pylist() for name in GROUP), strict=True))
        best = best_of_each([groups[place] for place in places], ranks[places].tolist())
        log.info("best of each sketch and prompt: %d of %d clips", len(best), len(places))
        places = [places[number] for number in best]
    if choice.duplicate_cosine is not None:
        places = leave_out_duplicates(choice.duplicate_cosine, clips, places, ranks)
    if not places:
        raise ValueError(f"no clip is left of {len(clips)}; see above what each condition leaves")
    return split_clips(choice, clips, places)


def meet(conditions: tuple[str, ...], clips: ScoredClips) -> np.ndarray:
    """Return for each clip whether it meets all conditions (N,)."""
    numbers = clips.numbers
    parsed = [parse_condition(text, numbers.schema) for text in conditions]
    kept = np.ones(len(clips), bool)
    for text, condition in zip(conditions, parsed, strict=True):
        holds = condition.mask(numbers).to_numpy()
        log.info("%s: %d of %d clips", text, int(holds.sum()), len(clips))
        kept &= holds
    return kept


def leave_out_duplicates(
    cosine: float, clips: ScoredClips, places: list[int], ranks: np.ndarray
) -> list[int]:
    """Return the positions of which no two are near-duplicates: the better one is kept."""
    if len(places) > MOST_COMPARED:
        log.warning("skipped the search for near-duplicates: more than %d clips", MOST_COMPARED)
        return places
    if not places:
        return places
    # Here, as PyTorch takes seconds to import and not every run comes to this.
    from flipsketch.scoring.duplicates import find_duplicates

    places = sorted(places, key=lambda place: -ranks[place])
    features = np.stack(clips.scores["features"].take(places).to_numpy())
    originals = find_duplicates(features, cosine)
    unique = sorted(places[number] for number in np.flatnonzero(originals < 0))
    log.info("no near-duplicates: %d of %d clips", len(unique), len(places))
    return unique


def split_clips(
    choice: Choice, clips: ScoredClips, places: list[int]
) -> tuple[list[int], list[str]]:
    shares = parse_splits(choice.splits)
    sketches = clips.metadata["sketch_sha256"].take(places).to_pylist()
    splits = split_by(sketches, shares, choice.seed)
    names = list(shares)
    if empty := [name for name, share in shares.items() if share > 0 and name not in splits]:
        log.warning("too few sketches for a share of %s, which is empty", ", ".join(empty))
    order = sorted(range(len(places)), key=lambda number: names.index(splits[number]))
    return [places[number] for number in order], [splits[number] for number in order]
