import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from flipsketch.models.cards import model_licence
from flipsketch.models.registry import (
    choose_lora,
    find_model,
    fingerprint_folder,
    weights_bytes,
)
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import load_model, run_unet


def test_the_same_seed_writes_the_same_model(tiny_folder, tmp_path):
    again = write_tiny_model(tmp_path / "again", size=16)
    other = write_tiny_model(tmp_path / "other", size=16, seed=1)
    assert fingerprint_folder(again) == fingerprint_folder(tiny_folder)
    assert fingerprint_folder(other) != fingerprint_folder(tiny_folder)
    assert weights_bytes(again) > 1_000_000


def test_a_fingerprint_is_of_what_is_loaded(tiny_folder, tmp_path):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    (copy / "README.md").write_text("---\nlicense: mit\n---\n")
    (copy / ".git").mkdir()
    assert fingerprint_folder(copy) == fingerprint_folder(tiny_folder)
    assert model_licence(copy) == "mit" and model_licence(tiny_folder) == "cc0-1.0"
    with open(copy / "scheduler" / "scheduler_config.json", "a") as file:
        file.write("\n")
    assert fingerprint_folder(copy) != fingerprint_folder(tiny_folder)


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("license: mit", "mit"),
        ('license: "mine: all of it"', "mine: all of it"),
        ("license:\n- mit\n- cc0-1.0", "mit, cc0-1.0"),
        ("tags: []", "unknown"),
        ("license: mine: all of it", "unknown"),
    ],
)
def test_a_license_is_read_as_its_card_means_it(tmp_path, text, licence):
    (tmp_path / "README.md").write_text(f"---\n{text}\n---\n\nlicense: another\n")
    assert model_licence(tmp_path) == licence


def test_a_license_comes_from_the_folder_or_the_repository_or_the_user(tmp_path, caplog):
    clone, code = tmp_path / "clone", tmp_path / "code"
    for root, remote in ((clone, "https://huggingface.co/owner/name"), (code, "https://git/x")):
        (root / ".git").mkdir(parents=True)
        (root / ".git" / "config").write_text(f'[remote "origin"]\n\turl = {remote}\n')
        (root / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
        (root / "unet").mkdir()
    assert model_licence(clone / "unet") == "cc-by-nc-4.0"
    # Of a clone of code the license is that of the code.
    assert model_licence(code / "unet") == "unknown"
    assert model_licence(code / "unet", "mit") == "mit"
    (clone / "unet" / "README.md").write_text("---\nlicense: other\nlicense_name: own\n---\n")
    assert model_licence(clone / "unet", "mit") == "own"
    assert "--model-license mit is not used" in caplog.text


def test_a_model_is_frozen_and_knows_its_size(tiny_model):
    assert tiny_model.size == 16
    assert not any(p.requires_grad for p in tiny_model.unet.parameters())
    assert not tiny_model.unet.training and not tiny_model.vae.training
    assert tiny_model.encode_prompts(["a", "b " * 100]).shape == (2, 24, 32)


def test_encoding_is_repeatable_and_folds_frames_as_it_should(tiny_model64):
    pixels = torch.rand(2, 3, 3, 16, 16, dtype=torch.float64) * 2 - 1
    latents = tiny_model64.encode(pixels)
    assert latents.shape == (2, 4, 3, 8, 8)
    one = tiny_model64.encode(pixels[1:, :, 2:])
    torch.testing.assert_close(latents[1:, :, 2:], one, rtol=0, atol=1e-12)
    decoded = tiny_model64.decode(latents)
    assert decoded.shape == pixels.shape
    torch.testing.assert_close(decoded[1:, :, 2:], tiny_model64.decode(one), rtol=0, atol=1e-12)


def test_doodle_has_its_own_adapter_unless_another_or_none_is_named(tmp_path, monkeypatch):
    assert choose_lora("doodle", None) == "doodle-lora"
    assert choose_lora("doodle", "") is choose_lora("doodle", "none") is None
    assert choose_lora("doodle", "mine") == choose_lora("other", "mine") == "mine"
    assert choose_lora("other", None) is None
    # A folder of the user's own is not the embedded model, whatever its name.
    (tmp_path / "doodle").mkdir()
    monkeypatch.chdir(tmp_path)
    assert choose_lora("doodle", None) is None


def test_the_library_loads_doodle_with_its_adapter():
    weights = [
        load_model("doodle", **lora).unet.conv_in.weight
        for lora in ({}, {"lora": "doodle-lora"}, {"lora": "none"})
    ]
    assert torch.equal(weights[0], weights[1])
    assert (weights[0] - weights[2]).abs().max() > 1e-4


def test_what_is_no_model_is_refused(tiny_folder, tmp_path):
    with pytest.raises(ValueError, match="has no unet, vae"):
        find_model(tmp_path)
    with pytest.raises(ValueError, match="neither a folder here nor a model"):
        find_model("no such model!")
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    (broken / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ValueError, match="unet: has no weights as safetensors"):
        load_model(broken)


def test_pickled_weights_are_never_loaded(tiny_folder, tmp_path):
    pickled = shutil.copytree(tiny_folder, tmp_path / "pickled")
    weights = pickled / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ValueError, match="vae: has no weights as safetensors, and pickles are not"):
        load_model(pickled)


def test_threads_that_tokenize_at_once_do_not_change_each_others_tokens(tiny_model):
    prompts = ["a cat", "a dog that runs and runs and runs " * 9]
    expected = [tiny_model.token_ids([prompt]) for prompt in prompts]

    def count(number: int) -> bool:
        return tiny_model.cuts_prompt(prompts[number % 2])

    with ThreadPoolExecutor(1) as pool:
        cuts = pool.map(count, range(400))
        for number in range(400):
            assert torch.equal(tiny_model.token_ids([prompts[number % 2]]), expected[number % 2])
        assert list(cuts) == [False, True] * 200


def test_a_pass_over_more_frames_than_motion_modules_know_is_refused(tiny_motion_folder):
    model = load_model(tiny_motion_folder)
    most, size = model.max_frames, model.unet.config.sample_size
    with pytest.raises(ValueError, match=f"{most + 1} frames .* embeddings for {most} "):
        run_unet(
            model.unet,
            torch.zeros(1, 4, most + 1, size, size),
            torch.tensor(5),
            model.encode_prompts([""]),
        )
