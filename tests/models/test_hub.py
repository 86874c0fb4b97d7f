"""Models and adapters of a Hub on loopback: names, revisions, folders, and what goes wrong."""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading

import pytest
from huggingface_hub import constants

from flipsketch.models import fetching
from flipsketch.models.cards import model_licence
from flipsketch.models.hub import NotFetchedError
from flipsketch.models.inspection import inspect_model
from flipsketch.models.motion_adapters import find_motion_adapter
from flipsketch.models.pinning import note_places, pin_places
from flipsketch.models.places import pin
from flipsketch.models.registry import (
    PARTS,
    find_file,
    find_lora,
    find_model,
    find_settings,
    fingerprint_folder,
    is_fetched,
    read_index,
)
from flipsketch.models.video_model import load_model
from flipsketch.scoring.clip_model import find_scorer
from pipelines.training.config import TrainConfig
from tests.helpers.adapters import write_adapter
from tests.helpers.corpora import ROOT
from tests.helpers.hub import Hub, hub_client, hub_environment

PLACE = "owner/sketch-lora/checkpoint-2500"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with Hub() as hub, hub_client(hub, tmp_path / "home", monkeypatch):
        yield hub


def files_of(folder, below="") -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {f"{below}{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}


def push_model(hub, tiny_folder, **more: bytes) -> str:
    """Put a model in a folder of a repository whose root has the card, and return the commit."""
    files = files_of(tiny_folder, "checkpoint-2500/")
    del files["checkpoint-2500/README.md"]
    card = b"---\nlicense: cc-by-nc-4.0\n---\n"
    return hub.push("owner/sketch-lora", {**files, "README.md": card, **more})


def test_a_folder_of_a_repository_is_fetched_once_and_is_the_model(hub, tiny_folder):
    commit = push_model(hub, tiny_folder, **{"checkpoint-2500/lora/2500_unet.pt": b"pickle"})
    pinned = pin(PLACE)
    assert pinned == f"{PLACE}@{commit}"
    folder = find_model(pinned)
    fetched = hub.fetched()
    assert "README.md" in fetched and "checkpoint-2500/lora/2500_unet.pt" not in fetched
    assert fingerprint_folder(folder) == fingerprint_folder(tiny_folder)
    assert model_licence(folder) == "cc-by-nc-4.0"
    assert find_model(pinned) == folder
    assert hub.requests == [], "of a commit that is here nothing is asked"
    assert load_model(pinned).size == 16


def test_a_revision_is_the_commit_that_it_means_when_it_is_pinned(hub, tiny_folder):
    first = push_model(hub, tiny_folder)
    hub.repositories["owner/sketch-lora"].branches["v1"] = first
    pinned = pin(PLACE)
    second = push_model(hub, tiny_folder, **{f"checkpoint-2500/{UNET}": b"another"})
    assert pin(PLACE) == f"{PLACE}@{second}"
    assert pin(f"{PLACE}@v1") == f"{PLACE}@{first}" == pinned
    assert pin(f"{PLACE}@{second}") == f"{PLACE}@{second}"
    assert fingerprint_folder(find_model(pinned)) == fingerprint_folder(tiny_folder)


def test_a_resumed_run_has_the_commit_that_it_began_with(hub, tiny_folder):
    first = push_model(hub, tiny_folder)
    asked = TrainConfig(shards="s", output="o", model=PLACE)
    pinned = pin_places(asked, {})
    assert pinned.model == f"{PLACE}@{first}"
    notes = note_places(asked, pinned)
    assert notes == {"model": PLACE, "model_commit": first}
    second = push_model(hub, tiny_folder, note=b"later")
    assert pin_places(asked, notes) == pinned
    assert pin_places(asked, {}).model == f"{PLACE}@{second}"
    # The user says which one; that the run began with another is for the plan to refuse.
    asked = TrainConfig(shards="s", output="o", model=f"{PLACE}@main")
    assert pin_places(asked, notes).model == f"{PLACE}@{second}"


def test_what_another_program_fetches_beside_it_changes_no_fingerprint(hub, tiny_folder):
    push_model(hub, tiny_folder)
    folder = find_model(PLACE)
    before = fingerprint_folder(folder)
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"half")
    assert fingerprint_folder(folder) == before


@pytest.mark.parametrize("has_usual", [True, False])
def test_half_precision_copies_are_taken_where_there_are_no_others(hub, tiny_folder, has_usual):
    files = files_of(tiny_folder)
    half = f"{UNET.removesuffix('.safetensors')}.fp16.safetensors"
    files[half] = files[UNET]
    if not has_usual:
        del files[UNET]
    hub.push("owner/model", files)
    folder = find_model("owner/model")
    assert (UNET in hub.fetched()) is has_usual
    assert (folder / half).is_file() is not has_usual
    inspect_model(folder)


def test_pickled_weights_are_refused_before_anything_is_fetched(hub, tiny_folder):
    files = files_of(tiny_folder)
    files["unet/diffusion_pytorch_model.bin"] = files.pop(UNET)
    hub.push("owner/model", files)
    with pytest.raises(ValueError, match="unet: .* pickles .*convert_model.py --model owner"):
        find_model("owner/model")
    assert hub.fetched() == []


def test_settings_alone_are_fetched_for_a_dry_run(hub, tiny_folder):
    push_model(hub, tiny_folder)
    folder = find_settings(PLACE)
    assert not any(name.endswith(".safetensors") for name in hub.fetched())
    assert (folder / "unet" / "config.json").is_file()
    assert not is_fetched(PLACE)
    find_model(PLACE)
    assert is_fetched(PLACE)
    assert read_index(PLACE)["_class_name"] == "TextToVideoSDPipeline"


def test_an_adapter_in_one_file_is_to_be_imported(tmp_path):
    path = tmp_path / "kohya.safetensors"
    path.touch()
    with pytest.raises(ValueError, match="is a file, .* make one of it with jobs/import_lora.py"):
        find_lora(path)


def test_adapters_motion_adapters_scorers_and_files_are_places_too(
    hub, tiny_folder, clip_folder, tmp_path
):
    adapter = write_adapter(tiny_folder, tmp_path)
    hub.push("owner/adapters", files_of(adapter, "lora/"))
    found = find_lora("owner/adapters/lora")
    assert fingerprint_folder(found) == fingerprint_folder(adapter)
    unet = tiny_folder / "unet"
    half = {"diffusion_pytorch_model.fp16.safetensors": b"half"}
    hub.push("owner/motion", files_of(unet) | half)
    names = {path.name for path in find_motion_adapter("owner/motion").iterdir()}
    assert names == {path.name for path in unet.iterdir()}
    hub.push("owner/clip", {**files_of(clip_folder), "README.md": b"", "onnx/model.onnx": b"x"})
    found = find_scorer("owner/clip")
    assert fingerprint_folder(found, ("",)) == fingerprint_folder(clip_folder, ("",))
    push_model(hub, tiny_folder, **{"lora/2500_unet.pt": b"pickle"})
    assert find_file("owner/sketch-lora/lora/2500_unet.pt").read_bytes() == b"pickle"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("owner/nosuch", "no such repository, or a private one: log in with `hf auth login`"),
        ("owner/sketch-lora", "it has one in checkpoint-2500: give owner/sketch-lora/checkpoint"),
        (f"{PLACE}@v9", "has no revision 'v9'; there are main"),
        ("owner/sketch-lora/nosuch", "no folder 'nosuch' .* there are checkpoint-2500"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub, tiny_folder, place, said):
    push_model(hub, tiny_folder)
    with pytest.raises(ValueError, match=said):
        find_model(place)
    assert hub.fetched() == []


def test_private_and_gated_repositories_take_the_usual_token(hub, tiny_folder, monkeypatch):
    push_model(hub, tiny_folder)
    hub.repositories["owner/sketch-lora"].token = "hf_secret"
    with pytest.raises(ValueError, match="a private one: log in with"):
        find_model(PLACE)
    hub.repositories["owner/sketch-lora"].is_gated = True
    with pytest.raises(ValueError, match=f"is gated; accept its terms at {hub.url}/owner/sketch"):
        find_model(PLACE)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    hub.repositories["owner/sketch-lora"].is_gated = False
    with pytest.raises(ValueError, match="the token that is set gives no access") as raised:
        find_model(PLACE)
    assert "hf_other" not in str(raised.value)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert find_model(PLACE).is_dir()


def test_offline_what_was_fetched_is_used_and_nothing_is_asked(hub, tiny_folder, monkeypatch):
    commit = push_model(hub, tiny_folder)
    find_settings(PLACE)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NotFetchedError, match="not fetched before, .* HF_HUB_OFFLINE is set"):
        find_model(PLACE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    folder = find_model(PLACE)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert pin(PLACE) == f"{PLACE}@{commit}"
    assert find_model(PLACE) == folder
    with pytest.raises(NotFetchedError, match="HF_HUB_OFFLINE is set; none is in its cache"):
        find_model("owner/other")
    assert hub.requests == []


def test_a_cache_that_another_program_filled_is_used_offline(hub, tiny_folder, monkeypatch):
    from huggingface_hub import snapshot_download

    push_model(hub, tiny_folder)
    snapshot_download("owner/sketch-lora")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fingerprint_folder(find_model(PLACE)) == fingerprint_folder(tiny_folder)


def test_a_hub_that_fails_is_no_reason_to_stop_where_all_is_here(hub, tiny_folder, caplog):
    push_model(hub, tiny_folder)
    folder = find_model(PLACE)
    hub.status = 503
    assert find_model(PLACE) == folder
    assert "answers with status 503" in caplog.text
    with pytest.raises(NotFetchedError, match="status 503"):
        find_model("owner/other")


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub, tiny_folder):
    push_model(hub, tiny_folder)
    hub.cuts[UNET] = 1
    assert fingerprint_folder(find_model(PLACE)) == fingerprint_folder(tiny_folder)
    assert hub.fetched().count(f"checkpoint-2500/{UNET}") == 2


def test_a_fetch_that_was_killed_leaves_nothing_half_and_is_taken_up(hub, tiny_folder, tmp_path):
    commit = push_model(hub, tiny_folder)
    hub.bytes_per_s = 300_000
    home = tmp_path / "home"
    program = f"""
from flipsketch.models.registry import find_model
find_model("{PLACE}@{commit}")
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **hub_environment(hub, home)},
    )
    while f"checkpoint-2500/{UNET}" not in str(hub.requests):
        assert child.poll() is None
        threading.Event().wait(0.05)
    child.kill()
    child.wait()
    assert not is_fetched(f"{PLACE}@{commit}")
    hub.bytes_per_s = None
    hub.fetched()
    folder = find_model(f"{PLACE}@{commit}")
    assert fingerprint_folder(folder) == fingerprint_folder(tiny_folder)
    assert f"checkpoint-2500/{UNET}" in hub.fetched()


def test_two_workers_at_once_fetch_each_file_once(hub, tiny_folder, caplog):
    caplog.set_level(logging.INFO)
    pinned = f"{PLACE}@{push_model(hub, tiny_folder)}"
    hub.bytes_per_s = 5_000_000
    found: list[object] = []
    workers = [threading.Thread(target=lambda: found.append(find_model(pinned))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found[0] == found[1]
    fetched = hub.fetched()
    assert len(fetched) == len(set(fetched))
    assert caplog.text.count(f"fetching {pinned}") == 1


def test_a_whole_download_that_cannot_end_says_what_to_do(hub, tiny_folder, monkeypatch):
    push_model(hub, tiny_folder)
    folder = find_settings(PLACE)
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match="takes .* MB, but the disk of .* has 0.00 MB free"):
        find_model(PLACE)


def test_a_long_fetch_says_how_far_it_is(hub, tiny_folder, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(fetching, "REFRESH_S", 0.01)
    monkeypatch.setattr(fetching, "LOG_EVERY_S", 0.05)
    push_model(hub, tiny_folder)
    hub.bytes_per_s = 6_000_000
    find_model(PLACE)
    said = [
        float(n) for n in re.findall(r"([\d.]+) MB of 2.* MB of owner/sketch-lora", caplog.text)
    ]
    assert said and said == sorted(said)


def test_what_killed_fetches_left_is_deleted_in_the_end(hub, tiny_folder):
    push_model(hub, tiny_folder)
    blobs = find_settings(PLACE).parents[2] / "blobs"
    for name in ("old", "new"):
        (blobs / f"{name}.incomplete").touch()
    os.utime(blobs / "old.incomplete", (0, 0))
    find_model(PLACE)
    assert [path.name for path in blobs.glob("*.incomplete")] == ["new.incomplete"]


@pytest.mark.parametrize("kind", ["UNet2DConditionModel", "UNetMotionModel"])
def test_the_motion_adapter_of_a_pipeline_is_fetched_where_its_unet_needs_it(
    hub, tiny_folder, kind
):
    files = files_of(tiny_folder)
    config = json.loads(files["unet/config.json"]) | {"_class_name": kind}
    files["unet/config.json"] = json.dumps(config).encode()
    motion = files_of(tiny_folder / "vae", "motion_adapter/")
    hub.push("owner/animatediff", files | motion)
    folder = find_model("owner/animatediff")
    assert (folder / "motion_adapter").is_dir() is (kind == "UNet2DConditionModel")


def test_parts_that_are_not_needed_are_not_fetched(hub, tiny_folder):
    hub.push(
        "owner/model",
        {
            **files_of(tiny_folder),
            "safety_checker/model.safetensors": b"x",
            "v1-5-pruned.safetensors": b"x",
            "unet/diffusion_pytorch_model.non_ema.safetensors": b"x",
            "vae/diffusion_pytorch_model.bin": b"x",
        },
    )
    find_model("owner/model")
    assert {name.partition("/")[0] for name in hub.fetched()} == {
        *PARTS,
        "README.md",
        "model_index.json",
    }
