"""How many clips fit, on cards that are numbers alone."""

from functools import partial

import pytest

from flipsketch.method.config import SamplingConfig
from flipsketch.method.fitting import Fit, choose_batch_size, find_fit, fit_all, usable_bytes

GB = 10**9


def peak(fixed: int, each: int, total: int, batch_size: int) -> int | None:
    """A card's peak with batches that take some bytes each; None beyond its memory."""
    needed = fixed + each * batch_size
    return needed if needed <= total else None


@pytest.mark.parametrize(
    ("fixed", "each", "total", "batch_size"),
    [
        (4, 4, 80, 12),  # 64 may be used, and 15 would fit
        (4, 4, 141, 24),
        (4, 4, 24, 2),
        (4, 4, 12, 1),
        (4, 4, 9, None),  # there is room for one, but with nothing to spare
        (4, 0, 80, 32),
    ],
)
def test_the_largest_batch_that_fits_is_chosen(fixed, each, total, batch_size):
    peaks = partial(peak, fixed * GB, each * GB, total * GB)
    assert choose_batch_size(peaks, usable_bytes(total * GB, total * GB)) == batch_size


def test_a_batch_that_takes_more_than_foreseen_gives_way_to_a_smaller_one():
    tried = []

    def peak_bytes(batch_size: int) -> int | None:
        tried.append(batch_size)
        # Beyond 12 clips something else sets the peak.
        return batch_size * GB if batch_size <= 12 else None

    assert choose_batch_size(peak_bytes, 64 * GB) == 12
    assert tried == [1, 2, 32, 24, 16, 12]


def test_what_other_programs_hold_is_left_to_them():
    idle = usable_bytes(80 * GB, 79 * GB)
    assert idle == usable_bytes(80 * GB, 80 * GB) == 64 * GB
    assert usable_bytes(80 * GB, 30 * GB) == 24 * GB


def costs(total: int, checkpointed: bool, batch_size: int) -> int | None:
    return peak(4 * GB, (1 if checkpointed else 8) * GB, total * GB, batch_size)


def test_gradients_are_checkpointed_where_not_even_one_clip_fits_without():
    sampling = SamplingConfig()
    fit = partial(find_fit, sampling=sampling)
    assert fit(partial(costs, 80), 64 * GB) == Fit(4, False)
    assert fit(partial(costs, 12), 10 * GB) == Fit(4, True)
    assert fit(partial(costs, 80), 64 * GB, checkpoint=True) == Fit(32, True)


def test_a_batch_that_is_asked_for_is_taken_if_it_fits_at_all():
    fit = partial(find_fit, sampling=SamplingConfig())
    assert fit(partial(costs, 80), 64 * GB, batch_size=9) == Fit(9, False)
    assert fit(partial(costs, 80), 64 * GB, batch_size=10) == Fit(10, True)


def test_what_cannot_fit_is_refused_with_what_helps():
    refuse = partial(find_fit, partial(costs, 4), 3 * GB)
    with pytest.raises(ValueError, match="even with gradients checkpointed; give fewer --num-fr"):
        refuse(SamplingConfig())
    with pytest.raises(ValueError) as error:
        refuse(SamplingConfig(align_steps=0), batch_size=2)
    assert "a batch of 2 clips of 10 frames takes more than there is" in str(error.value)
    assert "give a smaller --batch-size, fewer --num-frames or a GPU with" in str(error.value)


def test_rows_too_large_for_the_card_do_not_stop_the_others():
    job, long, huge = (SamplingConfig(num_frames=frames) for frames in (10, 20, 200))

    def fit(sampling):
        if sampling.num_frames * GB > 50 * GB:
            raise ValueError("nothing fits")
        return Fit(80 // sampling.num_frames, sampling.num_frames == 20)

    assert fit_all(fit, [long], job) == Fit(4, True)
    assert fit_all(fit, [huge], job) == Fit(8, False)
    assert fit_all(fit, [huge, long], job) == Fit(4, True)
    with pytest.raises(ValueError, match="nothing fits"):
        fit_all(fit, [job, huge], huge)
