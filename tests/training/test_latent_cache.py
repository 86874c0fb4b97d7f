"""Latents of shards in an object store: made once, on a local disk, by whoever comes first."""

import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from flipsketch.corpus.dataset import ReaderConfig, TrainingClips
from flipsketch.models.registry import fingerprint_folder
from flipsketch.models.video_model import load_model
from flipsketch.training.latent_cache import LatentClips, open_latents
from tests.helpers.animations import write_training_shards

NUM_FRAMES = 3
LOCK = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.lockf(file, fcntl.LOCK_EX, 1, int(sys.argv[2]))
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> str:
    """Nine clips in three shards."""
    return write_training_shards(tmp_path_factory.mktemp("latents"), 9, 5)


@pytest.fixture(scope="module")
def stored(local, s3) -> str:
    s3.upload(local, "latents/shards")
    return "latents/shards"


def read(location: str, num_frames: int = NUM_FRAMES) -> TrainingClips:
    return TrainingClips(location, ReaderConfig(num_frames=num_frames))


def open_cache(location: str, model: Path, cache: Path | None, num_frames: int = NUM_FRAMES):
    return open_latents(read(location, num_frames), str(model), 16, "float32", cache and str(cache))


def tars_read(proxy) -> Counter[str]:
    """Count the requests for each tar since the last call."""
    paths = (target.partition("?")[0] for method, target in proxy.requests() if method == "GET")
    return Counter(path.rpartition("/")[2] for path in paths if path.endswith(".tar"))


def test_each_tar_is_read_once_and_then_no_store_is_needed(
    tiny_folder, local, stored, proxy, tmp_path
):
    model, said = load_model(tiny_folder), []
    latents = open_cache(proxy.uri(stored), tiny_folder, tmp_path / "cache")
    tars_read(proxy)
    latents.fill(model, 0, said.append)
    assert set(tars_read(proxy)) == {f"0000{shard}.tar" for shard in range(3)}
    assert latents.missing() == []
    assert said[0].startswith("encoding the clips of 3 shards") and "MB in" in said[-1]
    beside = open_cache(local, tiny_folder, None)
    for shard in beside.missing():
        beside.encode_shard(model, shard)
    proxy.go_down()
    for position in range(20):
        there, here = latents[position], beside[position]
        assert torch.equal(there.pop("latents"), here.pop("latents")) and there == here
    proxy.work()
    # The next run, of another process, finds them.
    again = open_cache(proxy.uri(stored), tiny_folder, tmp_path / "cache")
    tars_read(proxy)
    again.fill(model, 0, said.append)
    assert not tars_read(proxy)


def test_by_default_latents_are_in_the_users_cache(
    tiny_folder, local, stored, s3, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    latents = open_cache(s3.uri(stored), tiny_folder, None)
    assert Path(latents.place).parent == tmp_path / "flipsketch" / "latents"
    assert Path(open_cache(local, tiny_folder, None).place).parent == Path(local) / "latents"


def test_processes_of_one_machine_share_the_work(tiny_folder, stored, s3, tmp_path):
    latents = open_cache(s3.uri(stored), tiny_folder, tmp_path)
    model = load_model(tiny_folder)
    Path(latents.place).mkdir(parents=True)
    command = [sys.executable, "-c", LOCK, f"{latents.place}/lock", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        filling = threading.Thread(target=latents.fill, args=(model, 1, str), daemon=True)
        filling.start()
        deadline = time.monotonic() + 60
        while latents.missing() != [1]:
            assert filling.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)
        assert filling.is_alive(), "waits for the shard that another process encodes"
        # That process dies before it has done so.
        other.kill()
    filling.join()
    assert latents.missing() == []


def test_latents_of_shorter_clips_or_of_another_tar_are_made_too(tiny_folder, stored, s3, tmp_path):
    model = load_model(tiny_folder)
    few = LatentClips(read(s3.uri(stored), 5), "0" * 64, 16, cache=str(tmp_path))
    keys = few.clips.rows_in(2)["key"].to_pylist()
    few.fill(model, 0, str)
    # As if the run before had taken one clip less, because it was too short.
    few.clips.rows = few.clips.rows.slice(0, len(few.clips.rows) - 1)
    few.encode_shard(model, 2)
    all_clips = LatentClips(read(s3.uri(stored)), "0" * 64, 16, cache=str(tmp_path))
    assert len(keys) == 1 and all_clips.missing() == [2]
    all_clips.fill(model, 0, str)
    assert all_clips.missing() == []
    all_clips.clips.shards[0] = all_clips.clips.shards[1]
    assert all_clips.missing() == [0]


def test_what_no_disk_can_hold_is_said_before_anything_is_read(
    tiny_folder, stored, proxy, tmp_path, monkeypatch
):
    latents = open_cache(proxy.uri(stored), tiny_folder, tmp_path)
    tars_read(proxy)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="the latents take 0.0 MB, but the disk has 0.0 MB free"):
        latents.fill(load_model(tiny_folder), 0, str)
    assert not tars_read(proxy)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="latents cannot be kept there: .* as --latent-cache"):
        open_cache(proxy.uri(stored), tiny_folder, tmp_path / "file" / "cache")
    with pytest.raises(ValueError, match="latents are read at every step; give a folder"):
        open_latents(latents.clips, str(tiny_folder), 16, "float32", proxy.uri("latents/cache"))


def test_latents_that_were_deleted_meanwhile_are_named(tiny_folder, stored, s3, tmp_path):
    latents = open_cache(s3.uri(stored), tiny_folder, tmp_path)
    latents.fill(load_model(tiny_folder), 0, str)
    shutil.rmtree(latents.place)
    with pytest.raises(OSError, match="gone or damaged .* rerun the same command"):
        latents[0]


def test_a_damaged_tar_is_refused_and_leaves_no_latents(tiny_folder, local, s3, tmp_path):
    s3.upload(local, "latents/damaged")
    tar = bytearray(s3.get("latents/damaged/shards/00001.tar"))
    tar[700] ^= 1
    s3.put("latents/damaged/shards/00001.tar", bytes(tar))
    latents = open_cache(s3.uri("latents/damaged"), tiny_folder, tmp_path)
    with pytest.raises(ValueError, match="shards/00001.tar: is damaged"):
        latents.fill(load_model(tiny_folder), 0, str)
    assert latents.missing() == [1, 2]
    assert fingerprint_folder(tiny_folder, ("vae",))[:16] in latents.name
