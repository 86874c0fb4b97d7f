"""What is said of a model's license: in a card's metadata, in its text, and by its place."""

from pathlib import Path

from flipsketch.corpus.licenses import all_licenses, resolve_license
from flipsketch.models.cards import read_parts, read_statements

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
license: cc-by-nc-4.0
---
- **License:**[ CC-BY-NC-ND](https://creativecommons.org/licenses/by-nc-nd/4.0/)
"""


def write_card(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def test_a_card_that_says_two_licenses_says_both_wherever_it_is(tmp_path):
    both = "cc-by-nc-4.0, CC-BY-NC-ND-4.0"
    copy = write_card(tmp_path / "copy", CARD)
    assert all_licenses(*read_statements(copy)) == both
    root = tmp_path / "models--somebody--sketch-model" / "snapshots" / COMMIT
    part = write_card(root, CARD) / "checkpoint-2500"
    assert read_statements(part) == ("cc-by-nc-4.0", CARD, "somebody/sketch-model")
    assert all_licenses(*read_statements(part)) == both


def test_the_place_on_the_hub_says_what_no_card_does(tmp_path):
    cache = tmp_path / "models--guoyww--animatediff-motion-adapter-v1-5-2" / "snapshots" / COMMIT
    folder = write_card(cache, "---\nlibrary_name: diffusers\n---\n")
    assert all_licenses(*read_statements(folder)) == "Apache-2.0"
    assert all_licenses(*read_statements(tmp_path)) == "unknown"


def test_a_license_without_a_name_on_the_hub_is_known_by_its_own_or_its_address(tmp_path):
    named = (
        "license: other\nlicense_name: stable-video-diffusion-community\nlicense_link: LICENSE.md"
    )
    linked = (
        "license: other\nlicense_link: https://huggingface.co/THUDM/CogVideoX-5b/blob/main/LICENSE"
    )
    found = [
        read_statements(write_card(tmp_path / str(number), f"---\n{text}\n---\n"))[0]
        for number, text in enumerate((named, linked))
    ]
    assert found[0] == "stable-video-diffusion-community"
    assert found[1].startswith("https://") and resolve_license(found[1]).name == "CogVideoX"
    bare = write_card(tmp_path / "bare", "---\nlicense: other\n---\n")
    assert [read_statements(bare)[0], read_statements(bare, "mit")[0]] == ["other", "mit"]


def test_a_cards_text_has_all_of_its_sections_and_none_of_its_metadata(tmp_path):
    text = "# Terms\n\n---\n\nNo commercial use.\n\n---\n\nMade in 2024."
    folder = write_card(tmp_path, f"---\nlicense: mit\n---\n{text}\n")
    assert read_parts(folder / "README.md") == ({"license": "mit"}, text)
    for bare in (text, f"---\n{text}", f"---\nlicense: [\n---\n{text}"):
        assert read_parts(write_card(tmp_path, bare) / "README.md") == ({}, bare)
    assert read_parts(tmp_path / "no" / "README.md") == ({}, "")
