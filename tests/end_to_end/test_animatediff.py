"""AnimateDiff in the jobs: a model of pictures with a motion adapter, and the two in one folder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AnimateDiffPipeline, UNetMotionModel

from flipsketch.corpus.plan import read_plan
from flipsketch.models.motion_adapters import fingerprint_motion
from flipsketch.models.tiny import TEXT_WIDTH
from flipsketch.models.video_model import load_model, merge_into_folder, run_unet
from flipsketch.storage.folder import open_folder
from flipsketch.training.config import TrainingConfig
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.remake import RemakeConfig, remake
from pipelines.train import train
from pipelines.training.config import TrainConfig
from tests.helpers.animatediff import write_motion_adapter, write_pictures_model
from tests.helpers.animations import write_training_shards
from tests.helpers.corpora import good_rows, make_job, make_manifest, read_rows


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    """A model of pictures, and a motion adapter for it."""
    folder = tmp_path_factory.mktemp("animatediff")
    return write_pictures_model(folder / "pictures"), write_motion_adapter(folder / "motion")


@pytest.fixture
def animatediff(places, tmp_path) -> AnimateConfig:
    """A job on two good rows, which aligns and composes."""
    job = replace(make_job(places[0], tmp_path), manifest=make_manifest(tmp_path, good_rows(2)))
    sampling = replace(job.sampling, num_inference_steps=2, align_steps=1, align_updates=1)
    return replace(job, motion_adapter=str(places[1]), sampling=sampling)


def test_the_motion_adapter_is_part_of_the_plan(animatediff, places, tmp_path):
    assert animate_manifest(animatediff) == 0
    plan = read_plan(open_folder(animatediff.output))
    fingerprint = fingerprint_motion(places[1])
    assert plan.settings["motion_fingerprint"] == fingerprint
    assert plan.log["motion_adapter"] == str(places[1])
    assert {row["motion_fingerprint"] for row in read_rows(animatediff.output)} == {fingerprint}
    audit = RemakeConfig(num_clips=1, sources=animatediff.sources)
    assert remake(open_folder(animatediff.output), plan, audit, False) == 0
    other = write_motion_adapter(tmp_path / "other", max_frames=24)
    with pytest.raises(ValueError, match="motion_fingerprint: .* there, .* now"):
        animate_manifest(replace(animatediff, motion_adapter=str(other)))


def test_both_in_one_folder_are_the_same_model(places, tmp_path):
    joined = tmp_path / "joined"
    merge_into_folder(str(places[0]), None, str(joined), str(places[1]))
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 3, 8, 8, generator=random, dtype=torch.float64)
    embeds = torch.randn(1, 5, TEXT_WIDTH, generator=random, dtype=torch.float64)
    apart, whole = (
        load_model(model, motion_adapter=motion_adapter, dtype=torch.float64)
        for model, motion_adapter in (places, (joined, None))
    )
    with torch.no_grad():
        predictions = [
            run_unet(model.unet, latents, torch.tensor(500), embeds) for model in (apart, whole)
        ]
    torch.testing.assert_close(*predictions, rtol=0, atol=1e-12)
    assert whole.scheduler.config.beta_schedule == "linear"
    pipeline = AnimateDiffPipeline.from_pretrained(joined)
    assert isinstance(pipeline.unet, UNetMotionModel)


@pytest.mark.parametrize("method", ["t2v", "livesketch", "still"])
def test_other_methods_take_it_too(animatediff, tmp_path, method):
    livesketch = animatediff.livesketch
    if method == "livesketch":
        livesketch = replace(livesketch, draft_steps=0, optimization_steps=1, output_size=16)
    manifest = make_manifest(tmp_path, good_rows(1))
    job = replace(animatediff, method=method, livesketch=livesketch, manifest=manifest)
    assert animate_manifest(job) == 0


def test_more_frames_than_its_motion_modules_know_are_refused(animatediff, places, tmp_path):
    few = write_motion_adapter(tmp_path / "few", max_frames=8)
    long = replace(animatediff.sampling, num_frames=33)
    for dry_run in (False, True):
        job = replace(animatediff, dry_run=dry_run, sampling=long)
        with pytest.raises(ValueError, match="at most 32 with this model, got 33: .*AnimateDiff"):
            animate_manifest(job)
        job = replace(job, motion_adapter=str(few), sampling=replace(long, num_frames=9))
        with pytest.raises(ValueError, match="num_frames must be at most 8 with this model"):
            animate_manifest(job)
    rows = good_rows(2)
    rows[1]["num_frames"] = 9
    manifest = make_manifest(tmp_path, rows)
    job = replace(animatediff, motion_adapter=str(few), manifest=manifest)
    assert animate_manifest(job) == 1
    good, bad = read_rows(job.output)
    assert good["status"] == "ok"
    assert bad["error"] == "num_frames must be at most 8 with this model, got 9"


def test_what_does_not_go_together_is_refused_first(animatediff, tiny_folder, places):
    for dry_run in (False, True):
        job = replace(animatediff, dry_run=dry_run)
        with pytest.raises(ValueError, match="is a model of pictures, .* --motion-adapter guoyww"):
            animate_manifest(replace(job, motion_adapter=None))
        with pytest.raises(ValueError, match="takes no motion adapter: its UNet, a UNet3DCond"):
            animate_manifest(replace(job, model=str(tiny_folder)))
    with pytest.raises(ValueError, match="the method svd takes no motion adapter; leave out"):
        replace(animatediff, method="svd")
    assert not Path(animatediff.output).exists()


def test_an_adapter_is_trained_on_it_and_animates_with_it(animatediff, places, tmp_path):
    training = TrainingConfig(
        num_steps=1,
        global_batch_size=2,
        num_frames=3,
        target_set="all",
        train_text_encoder=True,
    )
    job = TrainConfig(
        shards=write_training_shards(tmp_path / "training", 8, 4, "cc-by-4.0"),
        model=str(places[0]),
        motion_adapter=str(places[1]),
        output=str(tmp_path / "run"),
        training=training,
        checkpoint_gradients=True,
        validate_every=1,
        validation_steps=1,
        num_validation=1,
        threads=1,
        executor=animatediff.executor,
    )
    with pytest.raises(ValueError, match="is a model of pictures, .* --motion-adapter guoyww"):
        train(replace(job, motion_adapter=None))
    few = str(write_motion_adapter(tmp_path / "few", max_frames=2))
    with pytest.raises(ValueError, match="num_frames must be at most 2 with this model"):
        train(replace(job, motion_adapter=few))
    assert train(job) == 0
    card = (tmp_path / "run" / "README.md").read_text()
    assert (
        f"| motion adapter | {places[1]}, fingerprint `{fingerprint_motion(places[1])}` |" in card
    )
    assert f"--motion-adapter {places[1]} --output" in card
    manifest = make_manifest(tmp_path, good_rows(1))
    adapted = replace(animatediff, lora=str(tmp_path / "run" / "lora"), manifest=manifest)
    assert animate_manifest(adapted) == 0
    with pytest.raises(ValueError, match="motion_fingerprint: .* there, .* now"):
        other = str(write_motion_adapter(tmp_path / "another", max_frames=24))
        train(replace(job, motion_adapter=other))
