"""The cards of models are YAML whatever a license says, and name what was trained of what."""

import re
import shlex

import pytest
from huggingface_hub import metadata_load

from flipsketch.corpus.plan import Plan
from flipsketch.models.cards import model_licence
from flipsketch.storage.folder import open_folder
from flipsketch.training.model_card import write_training_card
from flipsketch.training.reports import StepReport

SETTINGS = {
    "method": "lora",
    "model_fingerprint": "m",
    "shards_fingerprint": "s",
    "num_clips": 8,
    "num_steps": 2,
    "num_frames": 4,
    "global_batch_size": 2,
}
LOG = {
    "model": "damo-vilab/text-to-video-ms-1.7b",
    "shards": "out/shards",
    "data_licence": "mine | yours",
    "command": "jobs/train_lora.py",
    "versions": {"torch": "2"},
}
HISTORY = [StepReport(step, 0.5, [0.5, 0.0, 0.0, 0.5], [1, 0, 0, 1], 1.0, 1e-3) for step in (1, 2)]


@pytest.mark.parametrize("licence", ["cc-by-nc-4.0", "mine: all of it", '"x"', "two\nlines", "no"])
def test_a_license_is_read_back_as_it_was_given(tmp_path, licence):
    folder = open_folder(str(tmp_path))
    write_training_card(folder, Plan({**SETTINGS, "model_licence": licence}, log=LOG), HISTORY)
    card = metadata_load(tmp_path / "README.md")
    assert card["license"] == licence and card["base_model"] == LOG["model"]
    assert card["library_name"] == "peft" and "lora" in card["tags"]
    assert card["data_license"] == LOG["data_licence"]
    # Beside the weights too, which go their own ways; what uses them has both to keep.
    assert model_licence(tmp_path / "lora") == f"{licence}, {LOG['data_licence']}"
    text = (tmp_path / "README.md").read_text()
    read = " ".join(licence.split())
    assert f"| license | {read}, the base model's; that of the clips is mine" in text
    assert r"mine \| yours |" in text


def test_a_base_model_in_a_folder_is_not_named_as_one_of_the_hub(tmp_path):
    log = {**LOG, "model": str(tmp_path)}
    settings = {**SETTINGS, "method": "full", "model_licence": "mit"}
    write_training_card(open_folder(str(tmp_path)), Plan(settings, log=log), HISTORY)
    card = metadata_load(tmp_path / "README.md")
    assert "base_model" not in card and card["library_name"] == "diffusers"
    assert "lora" not in card["tags"]


def test_a_base_model_of_the_hub_is_named_by_its_repository_and_its_commit(tmp_path):
    log = {**LOG, "model": "owner/name/sub@v1", "model_commit": "0" * 40}
    settings = {**SETTINGS, "model_licence": "mit"}
    write_training_card(open_folder(str(tmp_path)), Plan(settings, log=log), HISTORY)
    assert metadata_load(tmp_path / "README.md")["base_model"] == "owner/name"
    assert f"--model owner/name/sub@{'0' * 40}" in (tmp_path / "README.md").read_text()


def test_a_card_says_what_the_licenses_do_not_allow(tmp_path):
    log = {**LOG, "data_licence": "cc-by-nd-4.0", "lora_licence": "cc-by-nc-4.0"}
    plan = Plan({**SETTINGS, "model_licence": "mit"}, log=log)
    write_training_card(open_folder(str(tmp_path)), plan, HISTORY)
    text = (tmp_path / "README.md").read_text()
    assert "| license | mit, cc-by-nc-4.0, the base model's" in text
    assert "\nThe adapter is for non-commercial use only (cc-by-nc-4.0)" in text
    assert "data (cc-by-nd-4.0) does not allow training other models on it.\n" in text
    assert "model is for" not in text and model_licence(tmp_path / "lora").count(",") == 2


def test_the_command_of_a_card_can_be_pasted(tmp_path):
    folder = open_folder(str(tmp_path / "my run"))
    folder.make()
    write_training_card(folder, Plan({**SETTINGS, "model_licence": "mit"}, log=LOG), HISTORY)
    (command,) = re.findall("^python jobs/animate.*", folder.read("README.md").decode(), re.M)
    words = shlex.split(command)
    assert words[words.index("--lora") + 1] == str(tmp_path / "my run" / "lora")
