"""A row's own settings, and whether a clip by them is one that can be made and read."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from flipsketch.corpus.row import Row
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.clip import check_pixels
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.request import count_frames
from flipsketch.svg.animated import MAX_FRAMES

FLAGS = {"true": True, "false": False, "1": True, "0": False}


def row_sampling(row: Row, config: SamplingConfig, method: str) -> SamplingConfig:
    """Return the settings of one row: the job's, but for what the row says itself and the method
    has a use for."""
    changes: dict[str, Any] = {
        name: value
        for name in ("num_frames", "reference_scale", "sketch_in_noise", "negative_prompt")
        if (value := getattr(row, name)) is not None
    }
    if row.align is False:
        changes["align_steps"] = 0
    elif row.align and config.align_steps == 0:
        changes["align_steps"] = None
    return METHODS[method].settle(replace(config, **changes))


def row_livesketch(row: Row, config: LiveSketchConfig) -> LiveSketchConfig:
    """Return a row's settings of Live-Sketch; what it has wrong is for `find_error` to say."""
    trace = FLAGS.get(str(row.extra.get("trace")).lower())
    return config if trace is None else replace(config, trace=trace)


@dataclass(frozen=True)
class RowKinds:
    """The kinds of rows of a manifest that differ in what their clips take."""

    config: SamplingConfig
    """The job's settings."""
    method: str
    counts: Counter[tuple[int | None, bool | None, int]] = field(default_factory=Counter)
    """Rows by their own num_frames and align, and their number of prompts."""

    def add(self, row: Row) -> None:
        align = row.align if "align_steps" in METHODS[self.method].settings else None
        self.counts[row.num_frames, align, len(row.prompts)] += 1

    def sampled(self) -> list[tuple[SamplingConfig, int, int]]:
        """Return the settings, the number of prompts and the number of rows of each kind; with no
        row at all, one with the job's settings."""
        return [
            (self.sampling_of(frames, align), prompts, rows)
            for (frames, align, prompts), rows in self.counts.items()
        ] or [(self.config, 1, 1)]

    def sampling_of(self, num_frames: int | None, align: bool | None) -> SamplingConfig:
        row = Row(index=0, num_frames=num_frames, align=align)
        return row_sampling(row, self.config, self.method)

    @property
    def num_own(self) -> int:
        """Rows with settings of their own, or with several prompts."""
        return sum(
            rows
            for (frames, align, prompts), rows in self.counts.items()
            if prompts > 1 or frames is not None or align is not None
        )

    def costliest(self) -> tuple[SamplingConfig, ...]:
        """Return the settings between which memory is decided: those of the longest clips with
        alignment, and of those without it if they are longer. Segments are made one by one."""
        found: list[SamplingConfig] = []
        samplings = [sampling for sampling, _, _ in self.sampled()]
        for is_aligned in (True, False):
            some = [each for each in samplings if (each.num_align_steps > 0) == is_aligned]
            longest = max(some, key=lambda each: each.num_frames, default=None)
            if longest and not (found and longest.num_frames <= found[0].num_frames):
                found.append(longest)
        return tuple(found)


def find_error(
    row: Row,
    config: SamplingConfig,
    method: str,
    size: int,
    max_frames: int | None = None,
    *,
    has_licenses: bool = True,
) -> str | None:
    """Return why no clip can be made of a row, whatever its sketch is, if that is so.

    Args:
        config: the job's settings.
        size: height and width of the model's frames.
        max_frames: of a segment at the most; None for any number.
        has_licenses: the column `license` is that of the sketches, as in all runs but those from
            before there was one.
    """
    if row.error is not None:
        return row.error
    if has_licenses and row.license_error is not None:
        return row.license_error
    num_frames = row.num_frames or config.num_frames
    total = count_frames(len(row.prompts), num_frames)
    try:
        check_pixels(total, size)
        if METHODS[method].moves_strokes and total > MAX_FRAMES:
            raise ValueError(f"{total} frames are more than the {MAX_FRAMES} of an animated SVG")
    except ValueError as error:
        many = f"{len(row.prompts)} prompts of " if len(row.prompts) > 1 else ""
        return f"{error} ({many}{num_frames} frames): give fewer num_frames or fewer prompts"
    if max_frames is not None and num_frames > max_frames:
        return f"num_frames must be at most {max_frames} with this model, got {num_frames}"
    # As text, since the run reads a column of several types as text.
    trace = row.extra.get("trace")
    if METHODS[method].moves_strokes and trace is not None and str(trace).lower() not in FLAGS:
        return f"trace must be true or false, found {str(trace)!r:.80}"
    return None
