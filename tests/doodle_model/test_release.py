"""The cards of the embedded models: those that are shipped, and as they are written now."""

import pytest
from huggingface_hub import metadata_load

from flipsketch.doodle_model.release import Stage, fill_card
from flipsketch.models.places import EMBEDDED

LIBRARIES = {"doodle": "diffusers", "doodle-lora": "peft", "doodle-clip": "transformers"}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_card_is_yaml_that_names_license_and_library(tmp_path, name):
    stage = Stage("images", "64 x 64 doodles: all kinds", "64", 1000, 0.125)
    written = tmp_path / "README.md"
    written.write_text(fill_card(name, LIBRARIES[name], "A model.", "2 cores", [stage]))
    for card in (written, EMBEDDED / name / "README.md"):
        data = metadata_load(card)
        assert data["license"] == "cc0-1.0" and data["library_name"] == LIBRARIES[name]
        assert data["tags"] == ["sketch", "animation", "flipsketch"]
        assert f"\n# {name}\n" in card.read_text()
    assert "| images | 64 x 64 doodles: all kinds | 1,000 | 64 | 0.1250 |" in written.read_text()
