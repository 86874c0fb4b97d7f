"""How many clips a run would put in a batch: its own measurement, on this card."""

import torch

from flipsketch.method.animators import FlipSketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.fitting import choose_batch_size, usable_bytes
from flipsketch.method.measuring import measure_peak
from flipsketch.models.video_model import VideoModel
from gpu_parts.bench import Bench
from gpu_parts.rows import Row, Rows
from gpu_parts.unet import expect_pass
from gpu_parts.variants import DEFAULT_NAME, use_variant, using_graphs

FITS = "c. Clips of a batch that a run would choose"
# Passes of single clips that choosing takes: batches of 1, 2 and at the most 32, three steps each,
# twice.
NUM_PASSES = 450


class LoadedModel(FlipSketch):
    """The method with a model that is there already."""

    def __init__(self, model: VideoModel) -> None:
        self.model, self.size, self.device = model, model.size, model.device


def measure_fits(bench: Bench) -> None:
    batch = bench.scale.batches[0]
    expected_s = 5 + NUM_PASSES * expect_pass(bench, batch) / batch
    for aligned in (False, True):
        case = "aligned" if aligned else "not aligned"
        facts = {"aligned": aligned}
        bench.row(FITS, case, facts, lambda aligned=aligned: choose(bench, aligned), expected_s)


def choose(bench: Bench, aligned: bool) -> Row:
    on_gpu = bench.device.type == "cuda"
    use_variant(bench.model, DEFAULT_NAME)
    sampling = SamplingConfig(align_steps=None if aligned else 0)
    animator = LoadedModel(bench.model)
    peaks: dict[int, int | None] = {}

    def peak_bytes(batch: int) -> int | None:
        if batch not in peaks:
            peaks[batch] = measure_peak(animator, sampling, batch, graphs=on_gpu)
        return peaks[batch]

    with using_graphs(bench.model, on_gpu):
        if on_gpu:
            _, total = torch.cuda.mem_get_info()
            usable = usable_bytes(total, total)
        else:
            # A CPU has no memory of its own: some clips'.
            usable = int(2.5 * (peak_bytes(1) or 0))
        clips = choose_batch_size(peak_bytes, usable)
    listed = [
        f"{batch}: {'out of memory' if peak is None else round(peak / 2**30, 2)}"
        for batch, peak in sorted(peaks.items())
    ]
    return {"clips": clips, "usable_gib": round(usable / 2**30, 2), "peaks_gib": ", ".join(listed)}


def chosen_clips(rows: Rows, aligned: bool) -> int | None:
    """Return the batch that a run would choose."""
    return next((row["clips"] for row in rows.measured(FITS) if row["aligned"] == aligned), None)
