"""Validation pictures: the same sketches and prompts, animated by the model as it is trained."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from flipsketch.corpus.dataset import TrainingClips
from flipsketch.corpus.manifest import parse_rows
from flipsketch.corpus.row import default_seed
from flipsketch.media.config import REPAIR, SketchConfig
from flipsketch.media.contact_sheet import draw_strip, stack
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.sources import Sources
from flipsketch.storage.text import MAX_CONTENT, one_line, quote_briefly

if TYPE_CHECKING:
    from flipsketch.models.video_model import VideoModel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """A sketch that every validation picture shows animated."""

    sketch: np.ndarray
    """uint8 (H, W, 3), at the model's size."""
    prompt: str
    seed: int


def choose_subjects(clips: TrainingClips, number: int) -> list[Subject]:
    """Return the first frames and prompts of some training clips, evenly spaced."""
    places = np.linspace(0, len(clips) - 1, min(number, len(clips))).astype(int)
    rows = clips.rows.take(places).to_pylist()
    return [
        Subject(clips.read_frames(row)[0].copy(), row["prompt"], default_seed(row["key"]))
        for row in rows
    ]


def read_subjects(
    sources: Sources,
    size: int,
    number: int,
    *,
    darken: bool = False,
    config: SketchConfig = REPAIR,
) -> list[Subject]:
    """Return the first good rows of a manifest, read as the animate job reads them.

    Raises:
        OSError, ValueError: the manifest has no rows, or one of these cannot be read.
    """
    manifest, subjects = sources.manifest, list[Subject]()
    for row in parse_rows(manifest):
        if len(subjects) == number:
            break
        if row.error is not None:
            raise ValueError(f"{manifest}: {row.error}; correct or remove the row")
        try:
            content = sources.read(row.sketch)
            sketch = load_sketch(content, size, darken=darken, config=config)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{manifest}: row {quote_briefly(row.id)}: {error}; correct or remove the row"
            ) from error
        subjects.append(Subject(sketch, row.prompts[0], row.seed))
    if not subjects:
        raise ValueError(f"{manifest}: has no rows; give some, or leave out --validation")
    return subjects


def animate_subject(
    model: "VideoModel", subject: Subject, config: SamplingConfig
) -> np.ndarray | None:
    """Return frames uint8 (F, H, W, 3); None if the model's result is not finite."""
    # Here, so that the subjects can be read, and refused, before PyTorch is imported.
    from flipsketch.method.sampler import animate

    try:
        [clip] = animate(model, [subject.sketch], [subject.prompt], [subject.seed], config)
    except ValueError as error:
        log.warning("%s: %s", one_line(subject.prompt, MAX_CONTENT), error)
        return None
    return clip.frames


def draw_sheet(subjects: list[Subject], clips: list[np.ndarray | None]) -> Image.Image:
    """Return a picture with a row for each subject: the sketch, then the frames of its clip."""
    nothing = np.zeros((0, 1, 1, 3), np.uint8)
    return stack(
        [
            draw_strip(
                subject.sketch,
                nothing if frames is None else frames,
                [subject.prompt if frames is not None else f"{subject.prompt} (not finite)"],
            )
            for subject, frames in zip(subjects, clips, strict=True)
        ]
    )
