"""Turn what was animated into samples, in a thread beside the model."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from torch import Tensor

from flipsketch.corpus.sample import encode_sample
from flipsketch.media.clip import Clip
from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import finish_frames
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

    def submit(self, index: int, row: ReadRow, pixels: Tensor, seconds: float) -> None:
        self.encoding[index] = self.pool.submit(finish_row, row, pixels, seconds, self.schema)

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


def finish_row(row: ReadRow, pixels: Tensor, seconds: float, schema: pa.Schema) -> RowOutcome:
    """Return a row's outcome: a sample, or a failure if the pixels are no clip."""
    columns = {**row.columns, "seconds": seconds}
    try:
        frames = finish_frames(pixels, row.request.sampling)
        num_frames, height, width, _ = frames.shape
        made = {
            **columns,
            "num_frames": num_frames,
            "height": height,
            "width": width,
            "frames_sha256": hashlib.sha256(frames.tobytes()).hexdigest(),
            **asdict(score_pixels(frames, row.request.sketch)),
        }
        clip = Clip(key=made["key"], prompt=made["prompt"], frames=frames)
        return RowOutcome(made, encode_sample(clip, row.request.sketch, made, schema))
    # Encoders raise whatever there is; an interrupt does not come to a thread.
    except BaseException as error:
        return RowOutcome(columns, error=describe_error(error))
