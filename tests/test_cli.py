"""Flags, and what they are when they are not given."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass, replace

import pyarrow as pa
import pytest
import ray
import torch

from flipsketch.cli import parse
from flipsketch.corpus.dataset import ReaderConfig
from flipsketch.doodles.writer import DrawingConfig
from flipsketch.method.presets import PRESETS
from flipsketch.training.config import TrainingConfig
from pipelines.animating.config import AnimateConfig
from pipelines.cli import run
from pipelines.curate import CurateConfig
from pipelines.execution.work import JobError
from pipelines.preview import PreviewConfig
from pipelines.report import ReportConfig
from pipelines.status import StatusConfig
from tests.helpers.corpora import ROOT

HEAVY = ("torch", "diffusers", "transformers", "peft", "ray", "datasets", "pyarrow")


@pytest.fixture
def model(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def read(model, *flags: str) -> AnimateConfig:
    arguments = ["--manifest", "rows.csv", "--output", "out", "--model", str(model), *flags]
    return parse(AnimateConfig, None, args=arguments)


def test_a_model_says_how_to_sample_unless_the_user_does(model):
    assert read(model).sampling.guidance_scale == 9.0
    (model / "sampling.json").write_text(json.dumps({"guidance_scale": 4.0, "num_frames": 6}))
    config = read(model, "--num-frames", "5", "--batch-size", "3")
    assert config.sampling.guidance_scale == 4.0 and config.sampling.num_frames == 5
    assert config.batch_size == 3 and config.manifest == "rows.csv"


def test_a_preset_goes_before_the_model_and_the_user_before_both(model):
    own = {"num_inference_steps": 50, "align_steps": 20, "guidance_scale": 4.0}
    (model / "sampling.json").write_text(json.dumps(own))
    assert read(model, "--preset", "exact") == read(model)
    for preset in ("fast", "draft"):
        sampling = read(model, "--preset", preset).sampling
        said = PRESETS[preset]
        assert said and {name: getattr(sampling, name) for name in said} == said
        assert sampling.guidance_scale == 4.0
        named = read(model, "--preset", preset, "--num-inference-steps", "30").sampling
        assert named == replace(sampling, num_inference_steps=30)


def test_a_preset_that_there_is_not_is_refused(model, capsys):
    with pytest.raises(SystemExit):
        read(model, "--preset", "fastest")
    assert "exact" in capsys.readouterr().err


def test_what_the_user_says_is_checked_with_what_the_model_says(model, capsys):
    (model / "sampling.json").write_text(json.dumps({"num_inference_steps": 50}))
    assert read(model, "--align-steps", "30").sampling.align_steps == 30
    assert type(read(model)) is AnimateConfig
    with pytest.raises(SystemExit):
        read(model, "--help")
    assert "default: 50" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["[1]", "{", '{"num_frame": 3}', '{"num_frames": 1}'])
def test_what_a_model_says_must_be_settings(model, content):
    (model / "sampling.json").write_text(content)
    with pytest.raises(ValueError, match="sampling.json: not the settings of a sampler"):
        read(model)


@dataclass(frozen=True, kw_only=True)
class CountConfig:
    number: int = 1
    """How far to count."""


def count(config: CountConfig) -> int:
    if config.number < 1:
        raise ValueError("the number must be at least 1")
    logging.getLogger("test").info("counting to %d", config.number)
    return 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--number", "3"], 0, "counting to 3"),
        ([], 0, "counting to 1"),
        (["--number", "0"], 2, "error: the number must be at least 1"),
        (["--nummer", "3"], 2, "--nummer"),
    ],
)
def test_a_job_runs_in_process_and_returns_its_exit_code(args, code, said, capsys):
    assert run(count, CountConfig, None, args) == code
    assert said in capsys.readouterr().err


def test_help_of_a_job_in_process_returns_0(capsys):
    assert run(count, CountConfig, "Count.", ["--help"]) == 0
    assert "How far to count." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "last_line", "is_bug"),
    [
        (SystemExit(0), 2, "error: SystemExit: 0", True),
        (SystemExit("a library gave up"), 2, "error: SystemExit: a library gave up", True),
        (KeyError("lost"), 2, "error: KeyError: 'lost'", True),
        (ChildProcessError("actors die"), 2, "error: actors die", False),
        (TimeoutError("no actor reports"), 2, "error: no actor reports", False),
        (JobError("Ray is gone"), 2, "error: Ray is gone", False),
        (torch.OutOfMemoryError("2 GB"), 2, "error: OutOfMemoryError: 2 GB", False),
        (MemoryError(), 2, "error: MemoryError", False),
        (pa.lib.ArrowException("codec"), 2, "error: ArrowException: codec", False),
        (ray.exceptions.RaySystemError("gone"), 2, "error: RaySystemError: System error: gone", 0),
        (KeyboardInterrupt(), 130, "interrupted; rerun the same command to resume", False),
    ],
)
def test_only_failed_rows_end_a_job_with_1(error, code, last_line, is_bug, capsys):
    def pipeline(config):
        raise error

    assert run(pipeline, CountConfig, None, []) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].endswith(last_line) and (lines[0].startswith("Traceback") == is_bug)


def test_a_job_leaves_signals_and_loggers_as_they_were():
    handler, handlers = signal.getsignal(signal.SIGTERM), None
    for _ in range(2):
        assert run(count, CountConfig, None, []) == 0
        handlers = handlers or logging.getLogger().handlers[:]
    assert signal.getsignal(signal.SIGTERM) == handler
    assert logging.getLogger().handlers == handlers


def test_a_job_runs_in_another_thread():
    codes = []
    thread = threading.Thread(target=lambda: codes.append(run(count, CountConfig, None, [])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_what_a_command_line_needs_is_imported_without_what_a_model_needs():
    program = f"""
import sys, flipsketch.cli, flipsketch.method.methods, flipsketch.models.registry
import flipsketch.models.quiet, flipsketch.training.config
print([name for name in {HEAVY} if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_an_interrupt_that_python_drops_comes_again():
    class Thing:
        pass

    def pipeline(config):
        thing = Thing()
        # What a callback of a weak reference raises is printed and forgotten.
        callback = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
        del thing
        assert callback() is None
        time.sleep(20)
        return 0

    assert run(pipeline, CountConfig, None, args=[]) == 130


def warn(config: CountConfig) -> int:
    logging.getLogger("test").warning("id %s\nand %s", "\x1b[2J\x07a", "b\u202e")
    return 0


def test_a_message_is_one_line_that_a_terminal_only_shows(capsys):
    assert run(warn, CountConfig, None, []) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING id ?[2J?a and b?")


def fail(config: CountConfig) -> int:
    open("/nowhere/\x1b[31mred")
    return 0


def test_an_error_names_its_file_and_no_number(capsys):
    assert run(fail, CountConfig, None, []) == 2
    said = capsys.readouterr().err
    assert said == "error: /nowhere/?[31mred: no such file or directory; check the path\n"


@pytest.mark.parametrize("name", ["manifest", "output", "model"])
def test_an_empty_place_is_refused(name, model):
    with pytest.raises(ValueError, match=f"--{name} is empty"):
        read(model, f"--{name}", "")
    assert read(model, "--lora", "").adapter is None


@pytest.mark.parametrize("flag", ["--manifest", "--output", "--model"])
def test_a_place_in_the_home_is_not_taken_for_one_here(flag, model):
    for given in ("~", "~/rows.csv", "~nobody-here/out"):
        with pytest.raises(ValueError, match=f"{flag} .*~.*the shell has left as it is"):
            read(model, f"{flag}={given}")
    assert read(model, "--output", "./~/out").output == "./~/out"
    assert read(model, "--negative-prompt", "~/x").sampling.negative_prompt == "~/x"


def test_a_text_that_no_file_can_hold_is_refused_by_its_flag(model):
    name = os.fsdecode(b"a\xff")
    for flag in ("--manifest", "--output", "--model"):
        with pytest.raises(ValueError, match=f"{flag} 'a.udcff': is not text in UTF-8"):
            read(model, flag, name)


@pytest.mark.parametrize("flag", ["--read-timeout", "--row-timeout", "--stall-timeout-s"])
def test_seconds_are_a_time_to_wait(flag, model, capsys):
    for given in ("0", "-1", "nan", "inf", "1e12", "2592001"):
        with pytest.raises(SystemExit):
            read(model, flag, given)
        said = " ".join(capsys.readouterr().err.replace("│", " ").split())
        assert f"{flag[2:].replace('-', '_')} must be more than 0 and at most 2592000 s" in said
    read(model, flag, "2592000")


def test_flags_that_contradict_each_other_or_lead_nowhere_are_refused(model, tmp_path, capsys):
    folder = str(tmp_path)
    for flags, told in (
        (["--ray-address", "auto", "--executor", "local"], "joins no cluster"),
        (["--allow-source", folder, "--allow-source", f"{folder}/no"], "/no: is not there"),
    ):
        with pytest.raises(SystemExit):
            read(model, *flags)
        assert told in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert read(model, "--allow-source", folder).sources.allow_source == (folder,)


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: CurateConfig(corpus="a", output="b", seed=seed),
        lambda seed: PreviewConfig(corpus="a", output="b.png", seed=seed),
        lambda seed: ReportConfig(corpus="a", seed=seed),
        lambda seed: StatusConfig(corpus="a", remake=1, seed=seed),
        lambda seed: DrawingConfig(seed=seed),
        lambda seed: TrainingConfig(seed=seed),
        lambda seed: ReaderConfig(seed=seed),
    ],
)
def test_no_seed_is_negative(build):
    assert build(0).seed == 0
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        build(-1)


def test_an_error_of_the_flags_speaks_of_them_and_of_no_class(model, capsys):
    with pytest.raises(SystemExit):
        read(model, "--batch-size", "0")
    said = " ".join(capsys.readouterr().err.split())
    assert "batch_size must lie between 1 and 256, got 0" in said and "Config" not in said


def test_the_toy_model_has_a_command_line(tmp_path):
    command = [sys.executable, "-m", "flipsketch.models.tiny"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [*command, "--size", "7", "out"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2 and "usage: python -m flipsketch" in ended.stderr
    assert "size must be a multiple of 8" in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--manifest", "--output", "--model", "--lora", "--no-such-flag"])
def test_credentials_in_an_address_are_refused_and_not_repeated(flag, capsys):
    for given in (f"s3://AKIA:wJalrXUt@bucket/{flag}", "s3://bucket/x?secret_key=wJalrXUt"):
        args = ["--manifest", "m.csv", "--output", "out", "--model", "doodle", flag, given]
        assert run(lambda config: 0, AnimateConfig, None, args) == 2
        captured = capsys.readouterr()
        assert "AWS_ACCESS_KEY_ID" in captured.err
        assert "wJalrXUt" not in captured.out + captured.err
