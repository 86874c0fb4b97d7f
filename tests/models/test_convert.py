"""Pickled weights become the same numbers as safetensors, and nothing else does."""

import json
import re
import shutil
import zipfile

import pytest
import torch
from diffusers import MotionAdapter
from safetensors.torch import load_file

from flipsketch.models.cards import model_licence
from flipsketch.models.convert import convert_model
from flipsketch.models.inspection import inspect_model
from flipsketch.models.registry import find_model
from tests.helpers.hub import Hub, hub_client
from tests.helpers.pickled import Evil, pickle_weights, published_motion_module

PARTS = ("unet", "vae", "text_encoder")


@pytest.fixture(scope="module")
def pickled(tiny_folder, tmp_path_factory):
    """A whole model in pickles, with the whole again in one file, as Stable Diffusion's has it."""
    folder = tmp_path_factory.mktemp("pickled") / "model"
    shutil.copytree(tiny_folder, folder)
    for part in PARTS:
        pickle_weights(folder / part)
    for copy in ("fp16", "non_ema"):
        torch.save({"a": torch.zeros(1)}, folder / "unet" / f"diffusion_pytorch_model.{copy}.bin")
    torch.save({"whole": torch.zeros(1)}, folder / "v1-5-pruned.ckpt")
    (folder / "lora").mkdir()
    torch.save([torch.zeros(1)], folder / "lora" / "2500_unet.pt")
    return folder


def check_same(folder, other):
    """Two folders have files of the same names, and weights of the same numbers."""
    names, others = (
        sorted(path.relative_to(each).as_posix() for path in each.rglob("*") if path.is_file())
        for each in (folder, other)
    )
    assert names == others
    for name in names:
        if name.endswith(".safetensors"):
            own, theirs = load_file(folder / name), load_file(other / name)
            assert own.keys() == theirs.keys()
            assert all(torch.equal(own[key], theirs[key]) for key in own)


def test_a_whole_folder_becomes_the_same_model(pickled, tiny_folder, tmp_path):
    convert_model(str(pickled), str(tmp_path / "model"))
    check_same(tmp_path / "model", tiny_folder)
    inspect_model(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert model_licence(tmp_path / "model") == "cc0-1.0"
    assert "`unet/diffusion_pytorch_model.bin`" in card and "random weights" in card


def test_a_repository_of_pickles_is_fetched_as_far_as_it_is_needed(
    pickled, tiny_folder, tmp_path, monkeypatch
):
    """By the command that the refusal of the pickles gives."""
    torch.save({"w": torch.arange(3.0)}, tmp_path / "model.ckpt")
    with Hub() as hub, hub_client(hub, tmp_path / "home", monkeypatch):
        files = {path.relative_to(pickled): path for path in pickled.rglob("*") if path.is_file()}
        files = {f"zs/{name}": path.read_bytes() for name, path in files.items()}
        card = {"README.md": b"---\nlicense: cc-by-nc-4.0\n---\nThe repository's.\n"}
        commit = hub.push("cerspense/zeroscope", files | card)
        with pytest.raises(ValueError) as raised:
            find_model("cerspense/zeroscope/zs")
        place = re.search(r"convert_model.py --model (\S+) ", str(raised.value))[1]
        assert place == f"cerspense/zeroscope/zs@{commit}"
        hub.fetched()
        convert_model(place, str(tmp_path / "model"))
        fetched = hub.fetched()
        assert "zs/unet/diffusion_pytorch_model.bin" in fetched
        assert not [name for name in fetched if "fp16" in name or "v1-5" in name or "lora" in name]
        hub.push("owner/crafter", {"model.ckpt": (tmp_path / "model.ckpt").read_bytes()} | card)
        # A flag takes nothing back that the card says.
        convert_model("owner/crafter/model.ckpt", str(tmp_path / "crafter"), "mit")
    check_same(tmp_path / "model", tiny_folder)
    # The folder's own card comes before the repository's.
    assert model_licence(tmp_path / "model") == "cc0-1.0"
    assert commit in (tmp_path / "model" / "README.md").read_text()
    assert load_file(tmp_path / "crafter" / "model.safetensors")["w"].tolist() == [0, 1, 2]
    assert model_licence(tmp_path / "crafter") == "cc-by-nc-4.0"


def test_a_part_in_shards_is_whole_or_refused(pickled, tiny_folder, tmp_path):
    part = shutil.copytree(pickled / "unet", tmp_path / "unet")
    weights = torch.load(part / "diffusion_pytorch_model.bin", weights_only=True)
    (part / "diffusion_pytorch_model.bin").unlink()
    names = sorted(weights)
    files = [f"diffusion_pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    for file, own in zip(files, (names[::2], names[1::2]), strict=True):
        torch.save({name: weights[name] for name in own}, part / file)
    index = {name: files[place % 2] for place, name in enumerate(names)}
    (part / "diffusion_pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
    convert_model(str(part), str(tmp_path / "whole"), "mit")
    written = json.loads(
        (tmp_path / "whole" / "diffusion_pytorch_model.safetensors.index.json").read_text()
    )
    assert written["weight_map"] == {
        name: file.replace(".bin", ".safetensors") for name, file in index.items()
    }
    assert model_licence(tmp_path / "whole") == "mit"
    (part / files[1]).unlink()
    with pytest.raises(ValueError, match="has 1 of 2 shards of the weights"):
        convert_model(str(part), str(tmp_path / "half"))
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize("wrapped", [False, True])
def test_published_motion_modules_become_a_motion_adapter(tmp_path, wrapped):
    torch.manual_seed(0)
    adapter = MotionAdapter(
        block_out_channels=(32, 64),
        motion_layers_per_block=1,
        motion_num_attention_heads=8,
        motion_max_seq_length=24,
        use_motion_mid_block=wrapped,
    )
    published = published_motion_module(adapter)
    assert "down_blocks.0.motion_modules.0.temporal_transformer.proj_in.weight" in published
    content = dict(published)
    if wrapped:
        content = {f"module.{name}": weight for name, weight in published.items()}
        content["module.conv_out.weight"] = torch.zeros(3)
        content = {"state_dict": content, "epoch": 3, "animatediff_config": {"a": 1}}
    torch.save(content, tmp_path / "mm.ckpt")
    convert_model(str(tmp_path / "mm.ckpt"), str(tmp_path / "adapter"), "apache-2.0")
    read = MotionAdapter.from_pretrained(tmp_path / "adapter", use_safetensors=True)
    assert {name: read.config[name] for name in ("motion_max_seq_length", "use_motion_mid_block")}
    assert read.config.motion_max_seq_length == 24
    assert read.config.use_motion_mid_block == wrapped
    for name, weight in adapter.state_dict().items():
        assert torch.equal(read.state_dict()[name], weight), name


def test_half_precision_is_taken_where_there_is_no_other(tmp_path):
    weights = {"a": torch.ones(3, dtype=torch.float16)}
    torch.save(weights, tmp_path / "diffusion_pytorch_model.fp16.bin")
    torch.save({"step": 1}, tmp_path / "optimizer.bin")
    convert_model(str(tmp_path), str(tmp_path / "out"))
    written = load_file(tmp_path / "out" / "diffusion_pytorch_model.safetensors")
    assert torch.equal(written["a"], weights["a"])


def convert_file(tmp_path, content, name="weights.bin"):
    torch.save(content, tmp_path / name)
    convert_model(str(tmp_path / name), str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([torch.zeros(2), torch.zeros(2)], "tensors without names; if it is the published adapter"),
        ({"a": Evil()}, "nothing else is loaded: it asks for"),
        ({"step": 3}, "has 0 tensors by name"),
        ({"a": torch.zeros(1).expand(10**9)}, "'a' is larger than its data"),
        ({"a": torch.zeros(2).to_sparse()}, "'a' is no plain one"),
        ({"a": torch.tensor([float("nan")])}, "'a' has values that are not numbers"),
        ({"a\n": torch.zeros(1)}, "is no name of a tensor"),
        ({3: torch.zeros(1)}, "is no name of a tensor"),
        ({"q.lora_down.weight": torch.zeros(1)}, "is a LoRA adapter, not a model"),
    ],
)
def test_what_is_no_networks_weights_is_refused(tmp_path, content, said, capsys):
    with pytest.raises(ValueError, match=said) as raised:
        convert_file(tmp_path, content)
    assert str(tmp_path / "weights.bin") in str(raised.value)
    assert "executed" not in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_dictionary_that_holds_itself_ends(tmp_path):
    content = {}
    content["state_dict"] = content
    with pytest.raises(ValueError, match="expected a dictionary of tensors by name"):
        convert_file(tmp_path, content)


def test_the_same_data_under_many_names_is_refused(tmp_path):
    shared = torch.zeros(10**6)
    with pytest.raises(ValueError, match="they name the same data over and over"):
        convert_file(tmp_path, {f"w{number}": shared for number in range(20)})


def test_tied_weights_are_written_under_both_names(tmp_path):
    shared = torch.arange(3.0)
    convert_file(tmp_path, {"a": shared, "b": shared.view(3), "half": shared[1:]})
    written = load_file(tmp_path / "out" / "weights.safetensors")
    assert {name: weight.tolist() for name, weight in written.items()} == {
        "a": [0, 1, 2],
        "b": [0, 1, 2],
        "half": [1, 2],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer of Git LFS"),
        (b"<!doctype html><title>404</title>", "is a page or text"),
        (b"PK\x03\x04 and no more", "damaged or cut short"),
        (b"\x80\x02junk", "not a file of plain tensors"),
    ],
)
def test_files_that_are_no_weights_are_named(tmp_path, content, said):
    (tmp_path / "weights.bin").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        convert_model(str(tmp_path / "weights.bin"), str(tmp_path / "out"))


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    torch.save({"a": torch.zeros(10**6)}, tmp_path / "plain.bin")
    with (
        zipfile.ZipFile(tmp_path / "plain.bin") as plain,
        zipfile.ZipFile(tmp_path / "bomb.bin", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in plain.infolist():
            bomb.writestr(entry.filename, plain.read(entry))
    with pytest.raises(ValueError, match="parts are compressed or overlap"):
        convert_model(str(tmp_path / "bomb.bin"), str(tmp_path / "out"))


def test_weights_of_another_class_are_named(pickled, tmp_path):
    part = shutil.copytree(pickled / "unet", tmp_path / "unet")
    settings = json.loads((part / "config.json").read_text())
    (part / "config.json").write_text(json.dumps({**settings, "block_out_channels": [16, 64]}))
    with pytest.raises(ValueError, match="both must be of one model"):
        convert_model(str(part), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_safetensors_alone_and_several_files_are_refused(tiny_folder, tmp_path):
    with pytest.raises(ValueError, match="no pickled weights .* to convert"):
        convert_model(str(tiny_folder), str(tmp_path / "out"))
    for name in ("mm_sd_v14.ckpt", "mm_sd_v15.ckpt"):
        torch.save({"a": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(ValueError, match=r"2 files .* \(mm_sd_v14.ckpt, mm_sd_v15.ckpt\); give"):
        convert_model(str(tmp_path), str(tmp_path / "out"))
