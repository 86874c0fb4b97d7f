"""Whole clips: the published schedule of UNet calls against ours, without and with alignment."""

import math
import time
from collections import Counter
from dataclasses import replace
from functools import partial

from measuring import timed
from schedules import PublishedSchedule, animate, published_calls

from flipsketch.method.config import SamplingConfig
from flipsketch.method.costs import SHALLOW_SHARE, count_frames, count_shallow_frames
from flipsketch.method.presets import PRESETS
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from gpu_parts.bench import UNKNOWN_S, Bench
from gpu_parts.card import percent_of_peak
from gpu_parts.rows import Row, Rows
from gpu_parts.unet import (
    EAGER,
    NUM_FRAMES,
    PASSES,
    PREDICTION,
    UPDATE,
    expect_pass,
    work_of,
)
from gpu_parts.variants import PLAIN_NAME, use_variant, using_graphs

CLIPS = "c. Whole clips"


def measure_published(bench: Bench, align: bool) -> None:
    facts = {
        "schedule": "published",
        "preset": "exact",
        "aligned": align,
        "variant": PLAIN_NAME,
        "batch": 1,
    }
    calls = Counter(published_calls(align))
    # Each kind once more, to warm up; with gradients a call costs as much as three without.
    passes = sum(3 if with_gradients else 1 for _, with_gradients in calls)
    passes *= 1 + bench.scale.published_calls
    expected_s = 5 + passes * expect_pass(bench, 1)
    bench.row(
        CLIPS, name_case(facts), facts, lambda: time_published(bench, calls, align), expected_s
    )


def time_published(bench: Bench, calls: Counter[tuple[int, bool]], align: bool) -> Row:
    """Time each kind of call a few times, and add up as many as a clip takes."""
    use_variant(bench.model, PLAIN_NAME)
    schedule, device = PublishedSchedule(bench.model), bench.device
    number_timed = bench.scale.published_calls
    seconds = sum(map(bench.median_seconds, (schedule.encode, schedule.decode)))
    with bench.peak() as memory, schedule.learning(align):
        for (frames, with_gradients), number in calls.items():
            timed(partial(schedule.call, frames, with_gradients), device)

            def repeat(frames=frames, with_gradients=with_gradients) -> None:
                # In a row, as in the loop, where the next call is launched while one runs.
                for _ in range(number_timed):
                    schedule.call(frames, with_gradients)

            seconds += number * timed(repeat, device) / number_timed
    return {
        **rates(seconds),
        **memory,
        "measured": f"{number_timed} of each kind of its calls, times their numbers",
    }


def measure_ours(bench: Bench, facts: Row) -> None:
    """Measure our schedule.

    Args:
        facts: `preset`, `aligned`, `variant` of the kernels, `batch`, `graphs`, `checkpointing`.
    """
    facts = {"schedule": "ours", **facts}
    whole = SamplingConfig(**PRESETS[facts["preset"]])
    if not facts["aligned"]:
        whole = replace(whole, align_steps=0)
    short_steps = min(bench.scale.short_steps, whole.num_inference_steps)
    short = replace(whole, num_inference_steps=short_steps)
    # Every shape of a clip's passes once, alignment's too.
    warm_up = replace(whole, num_inference_steps=bench.scale.warm_up_steps)
    warm_up = replace(
        warm_up,
        align_steps=min(1, warm_up.num_align_steps),
        compose_steps=warm_up.num_inference_steps,
    )
    seconds = {c: expect_clips(bench, c, facts["batch"]) for c in (whole, short, warm_up)}
    takes_long = seconds[whole] > bench.scale.whole_share * bench.left
    config = short if takes_long else whole
    bench.row(
        CLIPS,
        name_case(facts),
        facts,
        lambda: time_ours(bench, facts, (warm_up, config, whole)),
        (1 + facts["graphs"]) * seconds[warm_up] + seconds[config],
    )


def time_ours(bench: Bench, facts: Row, configs: tuple[SamplingConfig, ...]) -> Row:
    """Time clips, after others to warm up.

    Args:
        configs: to warm up with, to time, and to scale the time to.
    """
    warm_up, config, whole = configs
    batch = facts["batch"]
    use_variant(bench.model, facts["variant"])
    with (
        using_graphs(bench.model, facts["graphs"]) as graphs,
        checkpoint_gradients(bench.model.unet, facts["checkpointing"]),
        bench.peak() as memory,
    ):
        animate(bench.model, batch, warm_up)
        if facts["graphs"]:
            # Shapes are recorded when they come for the second time.
            animate(bench.model, batch, warm_up)
        started = time.perf_counter()
        pixels = animate(bench.model, batch, config)
        seconds = (time.perf_counter() - started) / batch
    scale, measured = 1.0, "whole"
    if config != whole:
        scale = clip_work(bench.rows, whole) / clip_work(bench.rows, config)
        measured = (
            f"{config.num_inference_steps} of {whole.num_inference_steps} steps, times {scale:.2f}"
        )
    tflop_per_s = clip_work(bench.rows, config) / seconds
    return {
        **rates(scale * seconds),
        "tflop_per_s": round(tflop_per_s, 3),
        "percent_of_peak": percent_of_peak(bench.rows, tflop_per_s),
        **memory,
        "graphs_recorded": graphs.num_recorded,
        "finite": bool(pixels.isfinite().all()),
        "measured": measured,
    }


def rates(seconds: float) -> Row:
    return {"s_a_clip": round(seconds, 3), "clips_an_hour": round(3600 / seconds, 1)}


def name_case(facts: Row) -> str:
    words = [facts["schedule"]] + ([] if facts["preset"] == "exact" else [facts["preset"]])
    words += ["aligned" if facts["aligned"] else "not aligned"]
    words += [facts["variant"], f"batch {facts['batch']}"]
    words += [name for name in ("graphs", "checkpointing") if facts.get(name)]
    return ", ".join(words)


def clip_work(rows: Rows, config: SamplingConfig) -> float:
    """Return the TFLOP of the UNet for one clip."""
    plain, with_gradients = count_frames(config)
    plain -= (1 - SHALLOW_SHARE) * count_shallow_frames(config)
    a_pass, an_update = work_of(rows, PREDICTION), work_of(rows, UPDATE)
    return (plain * a_pass + with_gradients * an_update) / NUM_FRAMES


def expect_clips(bench: Bench, config: SamplingConfig, batch: int) -> float:
    """Return how long a batch of clips may take, by what a UNet pass took."""
    rates = [
        row["tflop_per_s"]
        for row in bench.rows.measured(PASSES)
        if row["batch"] <= batch and row["how"] == EAGER
    ]
    seconds = batch * clip_work(bench.rows, config) / max(rates, default=math.nan)
    # Decoding, and parts that are smaller than a whole pass.
    return UNKNOWN_S if math.isnan(seconds) else 1 + 1.5 * seconds


def best_clips(rows: Rows, aligned: bool, **facts: object) -> Row | None:
    """Return the fastest way to make clips: of the method as published, by our schedule, unless
    other facts say otherwise."""
    facts = {"schedule": "ours", "preset": "exact", "aligned": aligned, **facts}
    found = [row for row in rows.measured(CLIPS) if facts.items() <= row.items()]
    return min(found, key=lambda row: row["s_a_clip"], default=None)
