"""What a plan says of its sketches, in new runs and in those from before it said anything."""

from dataclasses import replace

import pytest

from flipsketch.corpus.plan import Plan
from flipsketch.media.config import AS_IS, SketchConfig
from pipelines.animate import animate_manifest
from pipelines.makers.clip_columns import row_schema
from pipelines.makers.clip_settings import sketch_settings, slicing_settings

OLD, NEW = Plan({"num_rows": 1}), Plan({"num_rows": 1, "paper": "as-is", "fit": "none"})


@pytest.mark.parametrize("before", [None, NEW])
def test_a_plan_says_how_its_sketches_are_read(before):
    config = SketchConfig(paper="refuse", fit="ink")
    assert sketch_settings(config, before) == {"paper": "refuse", "fit": "ink"}
    assert SketchConfig.of(sketch_settings(config, before)) == config


@pytest.mark.parametrize("config", [SketchConfig(), AS_IS])
def test_a_plan_that_says_nothing_is_resumed_as_it_was(config):
    assert sketch_settings(config, OLD) == {}
    assert SketchConfig.of(OLD.settings) == AS_IS
    assert {"paper", "fit", "sketch_notes"}.isdisjoint(row_schema(settings=OLD.settings).names)


def test_it_is_not_resumed_with_what_it_cannot_mean():
    assert sketch_settings(SketchConfig(paper="refuse"), OLD) == {"paper": "refuse"}
    assert sketch_settings(SketchConfig(fit="ink"), OLD) == {"fit": "ink"}


def test_a_run_decodes_frame_by_frame_to_its_end_or_not_at_all(made):
    sliced = Plan({"num_rows": 1, "vae_slicing": True})
    assert slicing_settings(False, None) == slicing_settings(False, OLD) == {}
    assert slicing_settings(True, None) == slicing_settings(False, sliced)
    assert slicing_settings(False, sliced) == {"vae_slicing": True}
    with pytest.raises(ValueError, match="vae_slicing: None there, True now"):
        animate_manifest(replace(made, vae_slicing=True))
