"""Steps that a noise schedule can and cannot give."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from flipsketch.method.config import SamplingConfig
from flipsketch.method.limits import Limits, read_limits
from flipsketch.method.solver import Solver
from flipsketch.models.families import ANIMATEDIFF
from flipsketch.models.inspection import load_scheduler
from pipelines.animate import animate_manifest

TIMESTEPS = 20


def make_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m"])
def test_a_schedule_gives_fewer_steps_than_it_has_timesteps(name, inverse):
    scheduler, start = make_scheduler(), torch.ones(1, 4, 2, 2, 2)
    for num_steps in range(1, TIMESTEPS):
        solver, latents = Solver(scheduler, name, num_steps, inverse=inverse), start
        assert len(set(solver.timesteps.tolist())) == num_steps
        for t in solver.timesteps:
            latents = solver.step(0.1 * latents, t, latents)
        assert latents.isfinite().all()
    for num_steps in (0, TIMESTEPS, TIMESTEPS + 1):
        with pytest.raises(ValueError, match=f"between 1 and 19, .* got {num_steps}; give fewer"):
            Solver(scheduler, name, num_steps, inverse=inverse)


def test_the_limit_is_that_of_the_models_own_schedule(tiny_folder, tmp_path):
    read_limits(tiny_folder).check_steps(999)
    with pytest.raises(ValueError, match="draft_steps must lie between 1 and 999, .* got 1000"):
        read_limits(tiny_folder).check_steps(1000, "draft_steps")
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    path = folder / "scheduler" / "scheduler_config.json"
    settings = json.loads(path.read_text())
    for found, limit in ((100, 100), (None, 1000)):
        if found is None:
            del settings["num_train_timesteps"]
        else:
            settings["num_train_timesteps"] = found
        path.write_text(json.dumps(settings))
        assert read_limits(folder).num_timesteps == limit
    for bad in ("100", 0, True, 1.5):
        path.write_text(json.dumps({**settings, "num_train_timesteps": bad}))
        with pytest.raises(ValueError, match="num_train_timesteps must be a whole number of at le"):
            read_limits(folder)


def test_a_schedule_has_a_beta_for_each_timestep(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    path = folder / "scheduler" / "scheduler_config.json"
    settings = {**json.loads(path.read_text()), "trained_betas": [0.001] * 500}
    path.write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="one for each of its num_train_timesteps .1000., .* 500"):
        load_scheduler(folder)


@pytest.mark.parametrize("method", ["flipsketch", "t2v", "livesketch"])
def test_a_job_of_too_many_steps_is_refused_before_it_begins(job, tmp_path, method):
    folder = shutil.copytree(job.model, tmp_path / "model")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_train_timesteps": 10}))
    few = replace(job, model=str(folder), method=method)
    many = replace(few, sampling=replace(job.sampling, num_inference_steps=10))
    for dry_run in (False, True):
        with pytest.raises(ValueError, match="num_inference_steps must lie between 1 and 9, .* 10"):
            animate_manifest(replace(many, dry_run=dry_run))
        if method == "livesketch":
            with pytest.raises(ValueError, match="draft_steps must lie between 1 and 9, .* 12"):
                animate_manifest(replace(few, dry_run=dry_run))
    assert not Path(job.output).exists()


def test_motion_modules_see_all_copies_of_an_inverted_sketch():
    few, enough = Limits(ANIMATEDIFF, TIMESTEPS, 4), Limits(ANIMATEDIFF, TIMESTEPS, 5)
    sampling = SamplingConfig(num_frames=4, num_inference_steps=5)
    few.check(sampling)
    enough.check(sampling, inverts=True)
    with pytest.raises(ValueError, match="inverted as 5 frames, .* position embeddings for 4 "):
        few.check(sampling, inverts=True)
