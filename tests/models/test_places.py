"""Where a model is, told from its name alone."""

from pathlib import Path

import pytest

from flipsketch.models.hub import HubPlace
from flipsketch.models.places import EMBEDDED, locate, pin

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("owner/name", HubPlace("owner/name")),
        ("owner/name/", HubPlace("owner/name")),
        ("owner/name/sub/folder", HubPlace("owner/name", "sub/folder")),
        ("owner/name@v1.0", HubPlace("owner/name", "", "v1.0")),
        ("owner/name/sub@refs/pr/3", HubPlace("owner/name", "sub", "refs/pr/3")),
        (f"owner/name/sub@{COMMIT}", HubPlace("owner/name", "sub", COMMIT)),
        ("o-w.n_er/t2v_sketch-lora", HubPlace("o-w.n_er/t2v_sketch-lora")),
    ],
)
def test_a_place_on_the_hub_has_a_repository_a_folder_and_a_revision(text, place):
    assert locate(text) == place
    assert str(place) == text.removesuffix("/")


def test_a_folder_here_comes_before_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("owner/name/sub", "owner/name@v1", "doodle"):
        assert locate(name) != Path(name)
        Path(name).mkdir(parents=True)
        assert locate(name) == Path(name)
        assert pin(name) == name


def test_what_comes_with_the_project_is_known_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert locate("doodle") == EMBEDDED / "doodle"
    assert pin("doodle") == "doodle"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name of a model or adapter is empty"),
        (" ", "name of a model or adapter is empty"),
        ("nosuch", "'nosuch' is neither a folder here nor a model on the Hugging Face Hub"),
        ("dodle", "did you mean doodle?"),
        ("/no/such/folder", "neither a folder here"),
        ("./no/such", "neither a folder here"),
        ("no/such/../folder", "neither a folder here"),
        ("~/models/mine", "neither a folder here"),
        (r"C:\models\mine", "neither a folder here"),
        ("C:/models/mine", "neither a folder here"),
        ("owner/name@", "neither a folder here"),
        ("owner/name@main/", "neither a folder here"),
        ("owner/na me", "neither a folder here"),
        ("owner/name\n", "neither a folder here"),
        ("owner/name/a//b", "neither a folder here"),
        ("owner/name@/etc/name", "neither a folder here"),
        ("owner/name@../../name", "neither a folder here"),
        ("here/model", "here/model: expected a folder, found a file; give its folder"),
        ("here/models/mine", "no such folder in here/models; did you mean here/models/mini?"),
        ("s3://bucket/model", "local disks alone"),
        ("hf://owner/name", "without its address: owner/name$"),
        ("https://huggingface.co/owner/name/tree/main/sub", "address: owner/name/sub@main"),
        ("https://huggingface.co/owner/name/resolve/v1/sub/x?download=true", "name/sub/x@v1$"),
    ],
)
def test_what_can_be_no_place_is_refused_at_once(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    Path("here/models/mini").mkdir(parents=True)
    Path("here/model").touch()
    with pytest.raises(ValueError, match=said):
        locate(text)


def test_a_home_folder_that_no_shell_expanded_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match=f"give {tmp_path}/mine, since ~ was not expanded"):
        locate("~/mine")


def test_a_message_repeats_little_of_a_long_name():
    with pytest.raises(ValueError) as raised:
        locate("x" * 10_000)
    assert len(str(raised.value)) < 600
