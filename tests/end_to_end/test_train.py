"""The training job: what it leaves behind, how it resumes, what it refuses."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from flipsketch.corpus.plan import read_plan, write_plan
from flipsketch.models.kernels import PLAIN
from flipsketch.models.registry import fingerprint_folder
from flipsketch.models.temporal_convolution import TemporalConvolution2d
from flipsketch.models.video_model import load_model
from flipsketch.storage.folder import open_folder
from flipsketch.training.checkpoints import checkpoint_steps, load_newest
from flipsketch.training.config import TrainingConfig
from flipsketch.training.reports import StepReport
from pipelines.animate import animate_manifest
from pipelines.execution.config import ExecutorConfig
from pipelines.train import train
from pipelines.training.config import TrainConfig
from pipelines.training.worker import TrainingWorker
from tests.helpers.animations import write_training_shards
from tests.helpers.clusters import share_ray, start_driver
from tests.helpers.corpora import exit_code, good_rows, make_manifest, start_child, wait_for

LOCAL = ExecutorConfig(executor="local")
QUICK = TrainingConfig(
    num_steps=6, global_batch_size=2, num_frames=3, learning_rate=1e-2, target_set="linear"
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> str:
    return write_training_shards(tmp_path_factory.mktemp("training"), 8, 4, "cc-by-4.0")


@pytest.fixture(scope="module")
def trained(shards, tiny_folder, tmp_path_factory) -> TrainConfig:
    """A run that has come to its end, to be read or copied."""
    job = make_job(shards, tiny_folder, tmp_path_factory.mktemp("trained") / "run")
    assert train(job) == 0
    return job


@pytest.fixture
def training_job(shards, tiny_folder, tmp_path) -> TrainConfig:
    return make_job(shards, tiny_folder, tmp_path / "run")


def make_job(shards: str, model: Path, output: Path) -> TrainConfig:
    return TrainConfig(
        shards=shards,
        model=str(model),
        output=str(output),
        training=QUICK,
        threads=1,
        checkpoint_every=2,
        validate_every=0,
        executor=LOCAL,
    )


def adapter(job: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(Path(job.output) / "lora" / "unet" / "adapter_model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_leaves_an_adapter_that_clips_name(training_job, job, tmp_path):
    assert train(replace(training_job, validate_every=4, validation_steps=2, num_validation=2)) == 0
    run = Path(training_job.output)
    assert sorted(path.name for path in run.iterdir() if path.name != "_tmp") == [
        *(
            "README.md",
            "checkpoints",
            "logs",
            "lora",
            "loss.png",
            "run.copy.json",
            "run.json",
            "samples",
        ),
    ]
    assert checkpoint_steps(open_folder(str(run))) == [4, 6]
    # At the start, every four steps, and at the end: two clips below each other.
    pictures = sorted((run / "samples").iterdir())
    assert [path.name for path in pictures] == [f"step-{step:06d}.png" for step in (0, 4, 6)]
    before, after = (np.asarray(Image.open(pictures[place])) for place in (0, -1))
    assert before.shape == after.shape and before.shape[0] > 2 * 96
    assert (before != after).mean() > 0.05
    card = (run / "README.md").read_text()
    assert "8 clips, 6 steps of 2 clips" in card and "CC-BY-4.0" in card

    manifest = make_manifest(tmp_path, good_rows(2))
    job = replace(job, lora=str(run / "lora"), manifest=manifest)
    assert animate_manifest(job) == 0
    rows = pq.read_table(Path(job.output) / "metadata").to_pylist()
    assert {row["lora_fingerprint"] for row in rows} == {fingerprint_folder(run / "lora")}
    plain = replace(job, lora=None, output=str(tmp_path / "plain"))
    assert animate_manifest(plain) == 0
    others = pq.read_table(Path(plain.output) / "metadata").to_pylist()
    assert all(
        row["frames_sha256"] != other["frames_sha256"]
        for row, other in zip(rows, others, strict=True)
    )


def test_a_killed_run_goes_on_to_the_same_weights(training_job, trained):
    run = Path(training_job.output)
    pid = start_child(training_job, pipeline=train)
    wait_for(pid, checkpoint(training_job, 2).exists)
    os.kill(pid, signal.SIGKILL)
    assert exit_code(pid) == -signal.SIGKILL and not (run / "lora").exists()
    assert train(training_job) == 0
    assert same(adapter(training_job), adapter(trained))
    # What is finished stays as it is.
    before = (run / "lora" / "unet" / "adapter_model.safetensors").stat()
    assert train(training_job) == 0
    assert (run / "lora" / "unet" / "adapter_model.safetensors").stat() == before


def test_on_one_device_a_run_is_as_long_and_leaves_an_adapter_too(training_job, trained):
    once = replace(QUICK, batch_size=2, signal_leak_prob=0.5)
    on_device = replace(training_job, on_device=True, training=once)
    with pytest.raises(ValueError, match="set batch_size to the global one"):
        train(replace(on_device, training=replace(once, batch_size=1)))
    assert train(on_device) == 0
    run = Path(training_job.output)
    assert checkpoint_steps(open_folder(str(run))) == [4, 6]
    card = (run / "README.md").read_text()
    assert "8 clips, 6 steps of 2 clips" in card
    assert adapter(on_device).keys() == adapter(trained).keys()
    with pytest.raises(ValueError, match="on_device: False there, True now"):
        train(replace(trained, on_device=True, training=replace(QUICK, batch_size=2)))


def test_a_torn_checkpoint_gives_way_to_the_one_before(training_job, trained):
    run = Path(shutil.copytree(trained.output, training_job.output))
    newest = run / "checkpoints" / "step-000006.pt"
    newest.write_bytes(newest.read_bytes()[:1000])
    assert load_newest(open_folder(training_job.output))[0] == 4
    card = (run / "README.md").read_text()
    assert train(training_job) == 0
    assert load_newest(open_folder(training_job.output))[0] == 6
    assert (run / "README.md").read_text() == card.replace(trained.output, training_job.output)
    newest.write_bytes(newest.read_bytes()[:1000])
    shutil.rmtree(run / "lora")
    assert train(training_job) == 0
    assert same(adapter(training_job), adapter(trained))
    for checkpoint in (run / "checkpoints").iterdir():
        checkpoint.write_bytes(b"torn")
    with pytest.raises(ValueError, match="none of its checkpoints can be read; add --overwrite"):
        train(training_job)


def test_shards_that_are_damaged_or_missing_are_named(training_job, tmp_path):
    shards = Path(shutil.copytree(training_job.shards, tmp_path / "shards"))
    shutil.rmtree(shards / "latents", ignore_errors=True)
    job = replace(training_job, shards=str(shards))
    tar = shards / "shards" / "00001.tar"
    content = bytearray(tar.read_bytes())
    content[100:2000] = b"?" * 1900
    tar.write_bytes(content)
    with pytest.raises(ValueError, match=r"shards/00001.tar: is damaged"):
        train(job)
    tar.unlink()
    with pytest.raises(ValueError, match="1 of 2 shards exist; rerun the command that makes them"):
        train(job)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "has no rows; give some, or leave out --validation"),
        (
            '{"id": "a", "sketch": "none.svg", "prompt": "b"}',
            "row 'a': .*none.svg: .*correct or remove",
        ),
    ],
)
def test_a_validation_manifest_is_read_before_anything_is_written(
    training_job, tmp_path, row, message
):
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text(row)
    with pytest.raises(ValueError, match=f"rows.jsonl: {message}"):
        train(replace(training_job, validate_every=2, validation=str(manifest)))
    assert not Path(training_job.output).exists()


def test_steps_and_frames_that_the_samples_cannot_have_are_refused_first(training_job, tmp_path):
    with pytest.raises(ValueError, match="validation_steps must be at most 999, got 1000"):
        replace(training_job, validation_steps=1000)
    model = shutil.copytree(training_job.model, tmp_path / "model")
    settings = model / "scheduler" / "scheduler_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "num_train_timesteps": 20}))
    job = replace(training_job, model=str(model), validate_every=2, validation_steps=20)
    with pytest.raises(ValueError, match="--validation-steps must lie between 1 and 19, .* got 20"):
        train(job)
    inverted = replace(job, training=replace(QUICK, inverted_first_frame=0.5))
    with pytest.raises(ValueError, match="up to 25 steps, but .* has 20 timesteps; leave it out"):
        train(inverted)
    image = replace(job, validation_steps=2, training=replace(QUICK, num_frames=1))
    with pytest.raises(ValueError, match="no samples can be made: num_frames must lie between 2"):
        train(image)
    assert not Path(training_job.output).exists()


def test_another_plan_is_refused_and_another_pace_is_not(training_job, trained):
    shutil.copytree(trained.output, training_job.output)
    with pytest.raises(ValueError, match="learning_rate: 0.01 there, 0.1 now"):
        train(replace(training_job, training=replace(QUICK, learning_rate=0.1)))
    assert train(replace(training_job, checkpoint_every=1, keep_checkpoints=5)) == 0
    strange = Path(training_job.output) / "checkpoints" / "mine.txt"
    strange.write_text("kept")
    other = replace(training_job, training=replace(QUICK, learning_rate=0.1), overwrite=True)
    assert train(other) == 0
    assert strange.read_text() == "kept"
    assert json.loads((strange.parent.parent / "run.json").read_text())["settings"][
        "learning_rate"
    ] == pytest.approx(0.1)


def test_folders_of_corpora_and_of_training_are_told_apart(trained, job):
    with pytest.raises(ValueError, match="holds a run of training, not of a corpus"):
        animate_manifest(replace(job, output=trained.output))
    with pytest.raises(ValueError, match="holds a run of a corpus, not of training"):
        train(replace(trained, output=trained.shards))


def test_gradients_that_are_not_finite_end_the_run(training_job):
    with pytest.raises(ValueError, match="the gradients are not finite .* lower the learning rate"):
        train(replace(training_job, training=replace(QUICK, learning_rate=1e30)))


def test_all_weights_can_be_trained(training_job):
    training = replace(QUICK, train="full", train_text_encoder=True, ema_decay=0.5)
    assert train(replace(training_job, training=training)) == 0
    trained = load_model(Path(training_job.output) / "model")
    before = load_model(training_job.model)
    for part in ("unet", "text_encoder", "vae"):
        pairs = zip(
            getattr(trained, part).parameters(), getattr(before, part).parameters(), strict=True
        )
        assert all(torch.equal(*pair) for pair in pairs) == (part == "vae")
    # What is saved is the running mean, not where the weights are now.
    _, state = load_newest(open_folder(training_job.output))
    first = next(trained.unet.parameters())
    assert torch.equal(first, state["mean"][0]) and not torch.equal(first, state["parameters"][0])
    # Plans keep their fields' names, so that a run begun under an earlier version resumes.
    settings = json.loads((Path(training_job.output) / "run.json").read_text())["settings"]
    assert settings["method"] == "full" and settings["sketch_in_noise"] == 0.0
    assert not {"train", "signal_leak_prob"} & settings.keys()


def test_a_run_keeps_the_kernels_that_it_began_with(training_job):
    job = replace(training_job, training=replace(QUICK, train="full", num_steps=2))
    assert train(replace(job, kernels="fast")) == 0
    run = open_folder(job.output)
    plan = read_plan(run, trains=True)
    assert plan is not None and plan.kernels["temporal_convolution"] == "2d"
    # What is saved is a model that any kernels run.
    assert load_model(Path(job.output) / "model", kernels=PLAIN).unet.config.sample_size > 0
    assert train(job) == 0
    worker = TrainingWorker(replace(job, dtype="float32"), "cpu")
    assert any(isinstance(module, TemporalConvolution2d) for module in worker.model.unet.modules())
    with pytest.raises(ValueError, match="kernels: .*'2d'.* there, .*'3d'.* now"):
        train(replace(job, kernels="plain"))


def test_a_run_of_an_earlier_version_goes_on_as_it_began(training_job, trained):
    shutil.copytree(trained.output, training_job.output)
    run = open_folder(training_job.output)
    plan = read_plan(run, trains=True)
    assert plan is not None
    settings = {name: value for name, value in plan.settings.items() if name != "kernels"}
    write_plan(run, replace(plan, settings=settings))
    shutil.rmtree(Path(training_job.output) / "lora")
    checkpoint(training_job, 6).unlink()
    assert train(training_job) == 0
    assert same(adapter(training_job), adapter(trained))
    plan = read_plan(run, trains=True)
    assert plan is not None and plan.kernels is None and plan.log["graphs"] is False


def test_training_goes_on_from_an_adapter(training_job, trained, tmp_path):
    on = replace(
        training_job,
        lora=str(Path(trained.output) / "lora"),
        output=str(tmp_path / "on"),
        training=replace(QUICK, num_steps=1, learning_rate=1e-9),
    )
    assert train(on) == 0
    before, after = adapter(trained), adapter(on)
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    settings = json.loads((tmp_path / "on" / "run.json").read_text())["settings"]
    assert settings["lora_fingerprint"] == fingerprint_folder(on.lora, ("unet",))
    for change in ({"rank": 2}, {"alpha": 8.0}, {"target_set": "attention"}):
        other = replace(on, output=str(tmp_path / "other"), training=replace(QUICK, **change))
        own = r"has rank 4, alpha 4 and \d+ layers \(target set: linear\), but the run asks for"
        with pytest.raises(ValueError, match=own):
            train(other)
        assert not (tmp_path / "other").exists()


def test_an_adapter_is_continued_with_its_own_rank_alpha_and_layers(training_job, tmp_path):
    shaped = replace(QUICK, rank=2, alpha=6.0, num_steps=1)
    assert train(replace(training_job, training=shaped)) == 0
    unnamed = replace(QUICK, target_set=None, num_steps=1)
    on = replace(
        training_job,
        lora=str(tmp_path / "run" / "lora"),
        output=str(tmp_path / "on"),
        training=unnamed,
    )
    assert train(on) == 0
    settings = json.loads((tmp_path / "on" / "run.json").read_text())["settings"]
    assert (settings["rank"], settings["alpha"], settings["target_set"]) == (2, 6.0, "linear")
    with pytest.raises(ValueError, match="has no text_encoder/.* start a new adapter with --lora"):
        train(replace(on, training=replace(unnamed, train_text_encoder=True)))


def test_doodles_adapter_is_continued_unless_the_user_says_none(training_job):
    config = replace(training_job, model="doodle")
    assert config.adapter == "doodle-lora"
    assert replace(config, lora="none").adapter is None
    assert replace(config, training=replace(QUICK, train="full")).adapter is None
    assert replace(config, lora="mine").adapter == "mine" and training_job.adapter is None


def test_clips_that_do_not_fit_the_model_are_refused(training_job):
    long = replace(training_job, training=replace(QUICK, num_frames=9))
    with pytest.raises(ValueError, match="none of its 8 clips has 9 frames"):
        train(long)
    with pytest.raises(ValueError, match="global batch of 3 cannot be divided among 2 workers"):
        train(
            replace(
                training_job,
                training=replace(QUICK, global_batch_size=3),
                executor=ExecutorConfig(workers=2),
            )
        )


def checkpoint(job: TrainConfig, step: int) -> Path:
    return Path(job.output) / "checkpoints" / f"step-{step:06d}.pt"


@pytest.mark.slow
def test_workers_and_drivers_may_die_and_their_number_may_change(training_job, tmp_path):
    training = replace(QUICK, num_steps=12)
    on_ray = replace(
        training_job, training=training, checkpoint_every=3, executor=ExecutorConfig(workers=2)
    )
    jobs = {
        name: replace(on_ray, output=str(tmp_path / name))
        for name in ("whole", "worker", "driver", "fewer")
    }
    share_ray(2)
    assert train(jobs["whole"]) == 0

    pid = start_driver(jobs["worker"], train)
    wait_for(pid, checkpoint(jobs["worker"], 3).exists)
    os.kill(find_worker(pid), signal.SIGKILL)
    assert exit_code(pid) == 0

    pid = start_driver(jobs["driver"], train)
    wait_for(pid, checkpoint(jobs["driver"], 6).exists)
    os.kill(pid, signal.SIGKILL)
    assert exit_code(pid) == -signal.SIGKILL
    shutil.copytree(jobs["driver"].output, jobs["fewer"].output)
    share_ray(2)
    for name, workers in (("driver", 2), ("fewer", 1)):
        assert train(replace(jobs[name], executor=ExecutorConfig(workers=workers))) == 0
    whole = adapter(jobs["whole"])
    assert same(adapter(jobs["worker"]), whole)
    assert same(adapter(jobs["driver"]), whole)
    fewer = adapter(jobs["fewer"])
    assert max(float((fewer[name] - whole[name]).abs().max()) for name in whole) < 1e-4


def find_worker(driver: int) -> int:
    """Return the process of one of a driver's training workers."""
    processes = psutil.Process(driver).children(recursive=True)
    return next(each.pid for each in processes if "RayTrainWorker" in " ".join(each.cmdline()))


def test_a_folder_that_another_run_has_taken_gains_no_checkpoint(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained.output, run)
    shutil.rmtree(run / "checkpoints")
    shutil.rmtree(run / "lora")
    worker = TrainingWorker(replace(trained, output=str(run), dtype="float32"), "cpu")

    def take(report: StepReport) -> None:
        if report.step == 3:
            (run / "run.json").write_text("{}")

    with pytest.raises(ValueError, match="is no longer the folder of this run"):
        worker.run(take)
    assert checkpoint_steps(open_folder(str(run))) == [2]
    assert not (run / "lora").exists()
