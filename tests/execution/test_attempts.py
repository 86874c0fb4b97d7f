"""Rows that raise, hang, end their process or come out as NaN: one failed row each."""

import ctypes
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import ray
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from flipsketch.corpus.row import Row
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.execution.attempts import (
    MAX_DEATHS_ALONE,
    MAX_UNEXPLAINED_DEATHS,
    TIMED_OUT,
    Attempts,
    last_resort,
)
from pipelines.execution.config import ExecutorConfig
from pipelines.makers.batches import describe_out_of_memory
from pipelines.makers.clips import SMALLER_VIDEOS
from tests.helpers.clusters import start_ray
from tests.helpers.corpora import exit_code, good_rows, make_manifest, read_rows, run_child
from tests.helpers.poison import (
    BREAKS_ARROW,
    CRASHES,
    EXITS,
    HANGS,
    INTERRUPTS,
    LEAVES_RAY,
    PANICS,
    QUITS,
    RAISES,
    RECURSES,
    STARVES,
    install,
)

ROWS = [Row(index=number, id=str(number), prompts=("a",)) for number in range(4)]


@pytest.fixture
def poisoned():
    hook = install()
    yield
    hook.remove()


def die(folder, rows, stage="animating", *, limit_s=None, driver=None):
    """Leave the note that a process leaves which dies while it runs these rows."""
    attempts = Attempts(folder, 7, driver)
    attempts.note.stage, attempts.note.running = stage, [row.index for row in rows]
    attempts.note.limit_s = limit_s
    attempts.save()


def test_a_row_is_given_up_after_three_deaths_alone(tmp_path):
    folder = open_folder(str(tmp_path))
    die(folder, ROWS)
    attempts = Attempts(folder, 7)
    assert attempts.are_suspect("animating", ROWS[:1]) and attempts.given_up == {}
    assert not attempts.are_suspect("reading", ROWS)
    for _ in range(MAX_DEATHS_ALONE):
        assert Attempts(folder, 7).given_up == {}
        die(folder, ROWS[2:3])
    attempts = Attempts(folder, 7)
    assert list(attempts.given_up) == [2] and "ended the process 3 times" in attempts.given_up[2]
    assert [attempts.deaths(row) for row in ROWS] == [1, 1, 4, 1]
    with attempts:
        pass
    assert folder.list("_tmp") == []


def test_a_row_that_is_too_slow_alone_is_given_up_at_once(tmp_path):
    folder = open_folder(str(tmp_path))
    die(folder, ROWS, "reading", limit_s=60)
    die(folder, ROWS[1:2], "reading", limit_s=60)
    assert "longer than the 60 s allowed" in Attempts(folder, 7).given_up[1]


def test_rows_that_end_well_leave_no_suspicion(tmp_path):
    folder = open_folder(str(tmp_path))
    attempts = Attempts(folder, 7)
    with attempts.running("animating", ROWS, 60):
        pass
    with pytest.raises(KeyError), attempts.running("animating", ROWS, None):
        raise KeyError
    assert not Attempts(folder, 7).are_suspect("animating", ROWS)


def test_a_store_hears_of_rows_once_a_process_has_died_in_their_shard(proxy):
    folder, unfinished = open_folder(proxy.uri("attempts/run")), []

    def attempt(dies: bool) -> Attempts:
        attempts = Attempts(folder, 7)
        proxy.requests()
        running = attempts.running("animating", ROWS[2:3], None)
        running.__enter__()
        if dies:
            unfinished.append(running)
        else:
            running.__exit__(None, None, None)
        return attempts

    with attempt(dies=False):
        assert proxy.requests() == []
    attempt(dies=True)
    for _ in range(MAX_DEATHS_ALONE + 1):
        assert not attempt(dies=True).given_up
        assert proxy.count()["PUT"] == 1
    attempts = Attempts(folder, 7)
    assert list(attempts.given_up) == [2]
    assert [attempts.deaths(row) for row in ROWS] == [1, 1, 5, 1]
    # What has only played dead; it would come to its end after the server's.
    for running in unfinished:
        running.__exit__(None, None, None)


def test_a_row_that_is_too_slow_is_named_at_once_in_a_store_too(s3):
    folder = open_folder(s3.uri("attempts/slow"))
    for rows in (ROWS, ROWS[1:2]):
        attempts = Attempts(folder, 7)
        attempts.note.stage, attempts.note.running = "reading", [row.index for row in rows]
        attempts.note.limit_s, attempts.note.is_coarse = 60, False  # as `time_out` does
        attempts.save()
    assert "longer than the 60 s allowed" in Attempts(folder, 7).given_up[1]


def test_deaths_that_no_row_explains_end_the_run(tmp_path):
    folder = open_folder(str(tmp_path))
    for _ in range(MAX_UNEXPLAINED_DEATHS):
        die(folder, [])
    with pytest.raises(ChildProcessError, match="shard 00007"):
        Attempts(folder, 7)
    Attempts(folder, 7)


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError(), AssertionError()])
def test_an_attempt_that_an_exception_ends_is_a_death(tmp_path, error):
    folder = open_folder(str(tmp_path))
    with pytest.raises(type(error)), Attempts(folder, 7):
        raise error
    assert Attempts(folder, 7).note.unexplained == 1


def test_another_driver_blames_nobody_but_forgets_nothing(tmp_path):
    folder = open_folder(str(tmp_path))
    for _ in range(MAX_DEATHS_ALONE):
        die(folder, ROWS[2:3], driver="one")
    # The first took up two of its three notes; the third may be of an actor that it took along.
    die(folder, ROWS[2:3], driver="two")
    assert Attempts(folder, 7, "two").deaths(ROWS[2]) == 3


def test_a_note_that_is_damaged_is_worth_no_run(tmp_path, caplog):
    folder = open_folder(str(tmp_path))
    die(folder, ROWS)
    for content in (b"", b"[]", b'{"stage": "rea', b'{"deaths": 3}', b'{"unknown": {}}'):
        folder.publish("_tmp/attempts-00007.json", content)
        assert Attempts(folder, 7).given_up == {}
    assert caplog.text.count("attempts-00007.json: not readable") == 5


def test_an_attempt_that_was_interrupted_is_no_death(tmp_path):
    folder = open_folder(str(tmp_path))
    die(folder, ROWS)
    for _ in range(MAX_UNEXPLAINED_DEATHS + 1):
        with pytest.raises(KeyboardInterrupt), Attempts(folder, 7) as attempts:
            raise KeyboardInterrupt
    assert attempts.are_suspect("animating", ROWS) and Attempts(folder, 7).note.unexplained == 0


def compare_with_clean_run(job, tmp_path, bad: list[int]):
    """Assert that the bad rows failed and that the others' clips are those of a run without."""
    clean = replace(
        job, manifest=make_manifest(tmp_path, good_rows(8)), output=str(tmp_path / "clean")
    )
    assert animate_manifest(clean) == 0
    found, expected = read_rows(job.output), read_rows(clean.output)
    assert [row["status"] == "failed" for row in found] == [number in bad for number in range(8)]
    for row, other in zip(found, expected, strict=True):
        assert row["status"] == "failed" or row["frames_sha256"] == other["frames_sha256"]
    assert open_folder(job.output).list("_tmp") == []
    return found


def poison_rows(job, tmp_path, prompts: dict[int, str]):
    rows = good_rows(8)
    for number, prompt in prompts.items():
        rows[number]["prompt"] = prompt
    (tmp_path / "poison").mkdir()
    return replace(
        job,
        manifest=make_manifest(tmp_path / "poison", rows),
        batch_size=4,
        rows_per_shard=8,
    )


def add_odd_sketch(job, tmp_path):
    """A job on eight rows, the third of which has a raster sketch of 77 x 33 pixels."""
    (tmp_path / "odd").mkdir()
    odd = Image.new("RGB", (77, 33), "white")
    odd.paste("black", (5, 5, 72, 28))
    odd.save(tmp_path / "odd" / "odd.png")
    rows = good_rows(8)
    rows[2]["sketch"] = "odd.png"
    return replace(job, manifest=make_manifest(tmp_path / "odd", rows), rows_per_shard=8)


def test_a_row_that_raises_in_the_model_fails_alone(job, tmp_path, poisoned):
    job = poison_rows(job, tmp_path, {1: RAISES, 2: RAISES})
    assert animate_manifest(job) == 1
    rows = compare_with_clean_run(job, tmp_path, bad=[1, 2])
    assert rows[1]["error"] == ("the model raised ArithmeticError: the model cannot do this one")
    assert rows[1]["attempts"] == 1


def test_whatever_a_row_raises_it_fails_alone_with_one_line(job, tmp_path, poisoned):
    poison = {0: QUITS, 2: PANICS, 3: RECURSES, 5: BREAKS_ARROW, 6: LEAVES_RAY}
    job = poison_rows(job, tmp_path, poison)
    assert animate_manifest(job) == 1
    rows = compare_with_clean_run(job, tmp_path, bad=list(poison))
    assert rows[0]["error"] == "the model raised SystemExit: the model leaves"
    assert rows[2]["error"].startswith("the model raised PanicException: index out of bounds")
    assert rows[3]["error"].startswith("the model raised RecursionError: maximum recursion depth")
    assert rows[5]["error"].startswith("the model raised ArrowException: ?[31m<svg><svg>")
    assert len(rows[5]["error"]) <= 1000 and rows[5]["error"].isprintable()
    assert rows[6]["error"].startswith("the model raised TypeError: exit_actor API is called on")


@pytest.mark.parametrize("error", [SystemExit("too deep"), RecursionError("too deep")])
def test_whatever_reading_a_sketch_raises_its_row_fails_alone(job, tmp_path, monkeypatch, error):
    read_tags = PngImageFile.getexif

    def raise_on_one(image):
        if image.size == (77, 33):
            raise error
        return read_tags(image)

    job = add_odd_sketch(job, tmp_path)
    monkeypatch.setattr(PngImageFile, "getexif", raise_on_one)
    assert animate_manifest(job) == 1
    rows = compare_with_clean_run(job, tmp_path, bad=[2])
    assert rows[2]["error"].startswith("odd.png: ") and "too deep" in rows[2]["error"]


def test_an_interrupt_is_no_failed_row(job, tmp_path, poisoned):
    job = poison_rows(job, tmp_path, {1: INTERRUPTS})
    assert animate_manifest(job) == 130
    assert not list((tmp_path / "corpus").glob("metadata/*"))
    # What is to be made is as new: a note would have it made by itself.
    assert open_folder(job.output).list("_tmp") == []


def test_a_batch_that_does_not_fit_into_memory_names_the_remedy(job, tmp_path, poisoned):
    job = poison_rows(job, tmp_path, {1: STARVES})
    assert animate_manifest(job) == 1
    rows = compare_with_clean_run(job, tmp_path, bad=[0, 1, 2, 3])
    assert "a batch of 4 clips of 3 frames (CUDA out of memory)" in rows[0]["error"]
    # Without alignment there are no gradients that could be checkpointed.
    assert rows[0]["error"].endswith("run again into another folder with a smaller --batch-size")


@pytest.mark.parametrize(
    ("batch_size", "savings", "remedy"),
    [
        (4, ["--offload"], "--offload, which changes no pixel, or into another folder with"),
        (4, [], "run again into another folder with a smaller --batch-size"),
        (1, ["--offload"], "run again with --retry-failed --offload, which changes no pixel"),
        (1, [], "run again on a device with more memory, or with fewer frames"),
    ],
)
def test_no_remedy_is_named_that_was_taken_already(batch_size, savings, remedy):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    reason = describe_out_of_memory(error, batch_size, SamplingConfig(), savings)
    assert remedy in reason and (batch_size > 1) == ("--batch-size" in reason)


def test_smaller_videos_are_the_remedy_of_models_that_make_them():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    reason = describe_out_of_memory(error, 1, SamplingConfig(), ["--offload"], SMALLER_VIDEOS)
    assert "--offload, which changes no pixel, or into another folder with --vae-tiling" in reason
    assert "--batch-size" not in reason


def test_a_model_that_raises_on_every_row_stops_the_run(job, tmp_path, poisoned):
    rows = [{**row, "prompt": RAISES} for row in good_rows(34)]
    job = replace(job, manifest=make_manifest(tmp_path, rows), rows_per_shard=17)
    with pytest.raises(RuntimeError, match="all of the first 34 rows") as error:
        animate_manifest(job)
    assert isinstance(error.value.__cause__, ArithmeticError)
    assert len(read_rows(job.output)) == 34


@pytest.mark.parametrize(
    ("prompt", "code", "deaths", "reason"),
    [
        (EXITS, 9, 4, "ended the process 3 times"),
        (CRASHES, -signal.SIGSEGV, 4, "ended the process 3 times"),
        (HANGS, TIMED_OUT, 2, "longer than the 4 s"),
    ],
)
def test_a_row_that_ends_or_stops_its_process_fails_alone(
    job, tmp_path, poisoned, prompt, code, deaths, reason
):
    job = replace(poison_rows(job, tmp_path, {5: prompt}), row_timeout=1)
    assert [run_child(job) for _ in range(deaths + 1)] == [code] * deaths + [1]
    rows = compare_with_clean_run(job, tmp_path, bad=[5])
    assert reason in rows[5]["error"]
    assert [row["attempts"] for row in rows] == [1, 1, 1, 1, 2, deaths, 2, 2]


def test_shards_beside_one_whose_row_ends_the_process_are_made_all_the_same(
    job, tmp_path, poisoned
):
    job = replace(poison_rows(job, tmp_path, {3: EXITS}), batch_size=2, rows_per_shard=2)
    codes = [run_child(job)]
    # One is committed and one is read when it happens; from then on it is by itself.
    while codes[-1] == 9:
        codes.append(run_child(job))
    assert codes == [9, 9, 9, 9, 1]
    job = replace(job, batch_size=2)
    rows = compare_with_clean_run(job, tmp_path, bad=[3])
    assert "ended the process 3 times" in rows[3]["error"]
    assert [row["attempts"] for row in rows[2:4]] == [2, 4]
    assert max(row["attempts"] for row in rows[4:]) <= 2


def test_the_first_of_two_limits_ends_a_process_whose_threads_cannot_run():
    pid = os.fork()
    if pid == 0:
        last_resort.add(time.monotonic() + 0.1)
        last_resort.add(deadline := time.monotonic() + 3600)
        last_resort.remove(deadline)
        # Unlike CDLL it keeps the GIL.
        ctypes.PyDLL(None).sleep(20)
        os._exit(0)
    assert exit_code(pid) == 1


def test_a_retry_of_a_row_that_ends_its_process_comes_to_an_end(job, tmp_path, poisoned):
    job = poison_rows(job, tmp_path, {5: EXITS})
    codes = [run_child(job) for _ in range(5)]
    again = replace(job, retry_failed=True)
    codes += [run_child(again) for _ in range(5)]
    assert codes == 2 * [9, 9, 9, 9, 1]
    assert [row["status"] for row in read_rows(job.output)].count("ok") == 7


def test_a_sketch_that_ends_its_process_when_it_is_read_fails_alone(job, tmp_path, monkeypatch):
    read_tags = PngImageFile.getexif

    def crash(image):
        return os._exit(9) if image.size == (77, 33) else read_tags(image)

    job = add_odd_sketch(job, tmp_path)
    monkeypatch.setattr(PngImageFile, "getexif", crash)
    assert [run_child(job) for _ in range(5)] == [9, 9, 9, 9, 1]
    rows = compare_with_clean_run(job, tmp_path, bad=[2])
    assert "reading the row ended the process 3 times" in rows[2]["error"]


def test_a_clip_that_ends_its_process_when_it_is_encoded_fails_alone(job, tmp_path, monkeypatch):
    job = add_odd_sketch(job, tmp_path)
    save = Image.Image.save

    def crash(image, *args, **kwargs):
        # The odd sketch is a black bar; of the others a fraction is ink.
        if image.size == (16, 16) and np.asarray(image.convert("L")).mean() < 220:
            os._exit(9)
        return save(image, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", crash)
    codes = []
    while not codes or codes[-1] == 9:
        codes.append(run_child(job))
    # Perhaps once beside other rows, and from then on where it can be told whose clip it was.
    assert codes[-1] == 1 and len(codes) in (5, 6)
    rows = compare_with_clean_run(job, tmp_path, bad=[2])
    assert "ended the process 3 times" in rows[2]["error"]


@pytest.mark.slow
def test_rows_that_raise_hang_or_end_their_process_on_ray_fail_alone(job, tmp_path):
    rows = good_rows(12)
    local = replace(job, output=str(tmp_path / "local"), batch_size=2, rows_per_shard=4)
    assert animate_manifest(replace(local, manifest=make_manifest(tmp_path, rows))) == 0
    Image.new("1", (13_000, 13_000)).save(tmp_path / "huge.png")
    rows[0]["sketch"] = str(tmp_path / "huge.png")
    poison = {1: QUITS, 2: RAISES, 5: HANGS, 4: EXITS, 8: LEAVES_RAY, 9: PANICS, 10: INTERRUPTS}
    for number, prompt in poison.items():
        rows[number]["prompt"] = prompt
    on_ray = replace(
        local,
        manifest=make_manifest(tmp_path, rows),
        output=str(tmp_path / "poisoned"),
        executor=ExecutorConfig(workers=2),
        # Long enough to read a row while Ray starts processes beside it.
        row_timeout=10,
    )
    start_ray(2, runtime_env={"worker_process_setup_hook": install})
    assert animate_manifest(on_ray) == 1
    ray.shutdown()
    bad = {
        0: "has 13000 x 13000 pixels",
        1: "SystemExit: the model leaves",
        2: "ArithmeticError",
        4: "ended the process 3 times",
        5: "longer than the 20 s",
        8: "SystemExit: 0",
        9: "PanicException: index out of bounds",
        10: "KeyboardInterrupt",
    }
    expected = read_rows(local.output)
    for row, other in zip(read_rows(on_ray.output), expected, strict=True):
        if reason := bad.get(row["manifest_row"]):
            assert row["status"] == "failed" and reason in row["error"]
        else:
            assert row["frames_sha256"] == other["frames_sha256"]
