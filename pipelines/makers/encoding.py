"""Turn what was animated into samples, in a thread beside the model."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from flipsketch.corpus.sample import encode_sample
from flipsketch.media.clip import Clip
from flipsketch.method.request import ClipRequest, RawClip
from flipsketch.scoring.pixel import score_pixels
from flipsketch.storage.text import describe_error
from pipelines.makers.outcome import RowOutcome


@dataclass(frozen=True)
class ReadRow:
    """A row whose sketch could be read."""

    request: ClipRequest
    columns: dict[str, Any]
    """What the metadata says of the row, whatever becomes of it."""


class SampleEncoder:
    """One thread that encodes, and what has become of the rows so far."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema, self.pool = schema, ThreadPoolExecutor(1)
        self.encoding: dict[int, Future[RowOutcome]] = {}

    def submit(self, index: int, row: ReadRow, clip: RawClip, seconds: float) -> None:
        self.encoding[index] = self.pool.submit(finish_row, row, clip, seconds, self.schema)

    def wait(self) -> None:
        """Raises CancelledError: the encoder was closed before."""
        for job in self.encoding.values():
            job.result()

    def close(self) -> None:
        """Encode what is begun, and no more."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def finished(self) -> dict[int, RowOutcome]:
        """Return the outcomes that are there, by row index."""
        return {row: job.result() for row, job in self.encoding.items() if job.done()}


def finish_row(row: ReadRow, raw: RawClip, seconds: float, schema: pa.Schema) -> RowOutcome:
    """Return a row's outcome: a sample, or a failure if what was animated is no clip."""
    columns = {**row.columns, "seconds": seconds}
    try:
        drawn = raw.draw(row.request.sampling)
        frames = drawn.frames
        num_frames, height, width, _ = frames.shape
        made = {
            **columns,
            "num_frames": num_frames,
            "height": height,
            "width": width,
            "frames_sha256": hashlib.sha256(frames.tobytes()).hexdigest(),
            **asdict(score_pixels(frames, row.request.sketch)),
        }
        if drawn.svg is not None:
            made["svg_sha256"] = hashlib.sha256(drawn.svg).hexdigest()
        clip = Clip(key=made["key"], prompt=made["prompt"], frames=frames)
        sample = encode_sample(clip, row.request.sketch, made, schema, drawn.svg)
        return RowOutcome(made, sample)
    # Encoders raise whatever there is; an interrupt does not come to a thread.
    except BaseException as error:
        return RowOutcome(columns, error=describe_error(error))
