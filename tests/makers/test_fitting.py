"""What fits a worker, found out where it would run."""

import functools
from dataclasses import replace

import pytest

from flipsketch.corpus.row import Row
from flipsketch.method.animators import FlipSketch
from flipsketch.method.fitting import CPU_BATCH_SIZE, Fit
from flipsketch.method.measuring import measure_peak, shorten
from flipsketch.models.kernels import PLAIN
from flipsketch.models.loading import Loading
from flipsketch.models.registry import NO_LORA
from pipelines.execution.trial import call_on_workers
from pipelines.execution.work import Resources
from pipelines.makers.fitting import Trial, fit_here, fit_on_cpus
from pipelines.makers.row_settings import RowKinds
from tests.helpers.requests import SHORT


@pytest.fixture
def trial(tiny_folder) -> Trial:
    return Trial(
        loading=Loading(model=str(tiny_folder), lora=NO_LORA, kernels=PLAIN),
        method="flipsketch",
        sampling=replace(SHORT, align_steps=0),
        samplings=(replace(SHORT, align_steps=0),),
        graphs=False,
        batch_size=None,
        checkpoint_gradients=False,
        dtype="float32",
    )


def test_a_worker_measures_what_fits_in_a_process_of_its_own(trial, tiny_folder):
    animator = FlipSketch(trial.loading)
    one, two = (measure_peak(animator, trial.samplings[0], size) for size in (1, 2))
    trial = replace(trial, usable_bytes=two + 3 * (two - one))
    call = functools.partial(fit_here, trial)
    assert call_on_workers(call, Resources(1, "cpu", 1)) == {"": Fit(4, False)}


def test_a_worker_says_why_nothing_fits(trial):
    assert "a batch of 1 clip of 4 frames" in fit_here(replace(trial, usable_bytes=1000))


def test_the_rows_that_take_most_decide(trial, tiny_folder):
    short, long = trial.samplings[0], replace(SHORT, num_frames=8)
    kinds = RowKinds(short, "flipsketch")
    for index in range(9):
        kinds.add(Row(index=index, prompts=("a",)))
    assert kinds.num_own == 0 and kinds.costliest() == (short,)
    kinds.add(Row(index=9, prompts=("a", "b"), num_frames=8))
    assert kinds.num_own == 1 and kinds.costliest() == (replace(short, num_frames=8),)
    kinds.add(Row(index=10, prompts=("a",), align=True))
    aligned, plain = kinds.costliest()
    assert aligned.num_align_steps > 0 and (aligned.num_frames, plain.num_frames) == (4, 8)
    animator = FlipSketch(trial.loading)
    usable = measure_peak(animator, long, 1)
    both = replace(trial, samplings=(short, long), usable_bytes=usable)
    assert fit_here(replace(both, samplings=(short,))).batch_size > 1
    assert fit_here(both) == Fit(1, False)


def test_a_cpu_without_much_memory_has_smaller_batches(trial, tiny_folder):
    fit = functools.partial(fit_on_cpus, trial, tiny_folder)
    assert fit(None) == fit(10**9) == Fit(CPU_BATCH_SIZE, False)
    assert fit(80 * 10**6) == Fit(CPU_BATCH_SIZE, False)
    assert fit(5 * 10**6).batch_size < CPU_BATCH_SIZE
    with pytest.raises(ValueError, match=r"frames takes 0.00\d+ GB, and a worker may use 0.0008"):
        fit(10**6)


def test_a_short_schedule_has_every_kind_of_pass():
    # Of many steps a tenth is guided, which of three would be none.
    late = replace(SHORT, num_inference_steps=50, guidance_start=0.4, guidance_stop=0.5)
    short = shorten(replace(late, align_steps=0))
    assert (short.num_align_steps, short.num_compose_steps) == (0, 1)
    assert len(short.guided_steps) == short.num_inference_steps == 3
    assert shorten(late).num_align_steps == 1
    assert len(shorten(replace(late, guidance_scale=1.0)).guided_steps) == 0
