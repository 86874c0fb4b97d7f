"""Shards are read back in one order that any number of readers share, from any sample on."""

from itertools import islice

import numpy as np
import pytest
from torch.utils.data import DataLoader

from flipsketch.animations.reader import RasterConfig, rasterize_animation
from flipsketch.corpus.dataset import ReaderConfig, TrainingClips
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from tests.helpers.animations import frame, write_animation

RASTER = RasterConfig(size=16)
NUM_CLIPS = 13


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("training")
    for number in range(NUM_CLIPS):
        write_animation(folder / "in" / f"thing {number:02d}", 6, f"way {number}")
    write_animation(folder / "in" / "short", 2, "too short")
    config = RasterizeConfig(
        animations=str(folder / "in"),
        output=str(folder / "out"),
        raster=RASTER,
        rows_per_shard=3,
        executor=ExecutorConfig(executor="local"),
    )
    assert make_training_shards(config) == 0
    return config.output


def clips(corpus: str, **settings) -> TrainingClips:
    return TrainingClips(corpus, ReaderConfig(**{"num_frames": 4, **settings}))


def keys(samples) -> list[str]:
    return [sample["key"] for sample in samples]


def load(corpus: str, rank: int, start: int, count: int) -> list[str]:
    """What one node of two reads with two workers, in order."""
    reader = clips(corpus)
    loader = DataLoader(
        reader, batch_size=None, sampler=reader.positions(rank, 2, start), num_workers=2
    )
    return keys(islice(loader, count))


def test_two_nodes_with_two_workers_read_every_clip_once_an_epoch(corpus):
    nodes = [load(corpus, rank, 0, NUM_CLIPS) for rank in (0, 1)]
    together = [key for pair in zip(*nodes, strict=True) for key in pair]
    first, second = together[:NUM_CLIPS], together[NUM_CLIPS:]
    assert len(set(first)) == len(set(second)) == NUM_CLIPS
    assert set(first) == set(second) and first != second
    assert together == keys(clips(corpus)[position] for position in range(2 * NUM_CLIPS))


@pytest.mark.parametrize("start", [1, 6, NUM_CLIPS + 4])
def test_the_order_is_the_same_after_a_resume(corpus, start):
    whole = keys(clips(corpus)[position] for position in range(2 * NUM_CLIPS))
    assert load(corpus, 0, start, 4) == whole[start : start + 8 : 2]
    assert load(corpus, 1, start, 4) == whole[start + 1 : start + 9 : 2]


def test_a_sample_is_a_window_of_the_clip_and_depends_on_its_position_alone(corpus):
    expected = {
        f"way {number}": rasterize_animation([(f"{i}", frame(i)) for i in range(6)], RASTER)
        for number in range(NUM_CLIPS)
    }
    reader = clips(corpus, prompt_dropout=0)
    firsts = set()
    for position in range(3 * NUM_CLIPS):
        sample = reader[position]
        first = sample["first_frame"]
        np.testing.assert_array_equal(
            sample["frames"], expected[sample["prompt"]][first : first + 4]
        )
        firsts.add(first)
    assert firsts == {0, 1, 2}
    again = clips(corpus, prompt_dropout=0)[20]
    np.testing.assert_array_equal(again["frames"], reader[20]["frames"])


def test_prompts_are_dropped_at_the_rate_asked_for(corpus):
    reader = clips(corpus, prompt_dropout=0.3)
    dropped = sum(reader[position]["prompt"] == "" for position in range(400))
    # Three standard deviations of a binomial.
    assert abs(dropped - 120) < 3 * (400 * 0.3 * 0.7) ** 0.5
    assert all(clips(corpus, prompt_dropout=1.0)[position]["prompt"] == "" for position in range(5))


def test_another_seed_is_another_order(corpus):
    orders = [
        keys(clips(corpus, seed=seed)[position] for position in range(NUM_CLIPS)) for seed in (0, 1)
    ]
    assert orders[0] != orders[1] and set(orders[0]) == set(orders[1])


def test_short_clips_are_left_out_and_none_left_is_an_error(corpus):
    assert len(clips(corpus)) == NUM_CLIPS and len(clips(corpus, num_frames=2)) == NUM_CLIPS + 1
    with pytest.raises(ValueError, match="none of its 14 clips has 7 frames; lower num_frames"):
        clips(corpus, num_frames=7)
