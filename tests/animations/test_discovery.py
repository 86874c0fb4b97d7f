"""Animations in an object store: all are found, or the search ends with an error."""

import zipfile

import pytest

from flipsketch.animations.discovery import find_animations
from flipsketch.animations.reader import AnimationReader, RasterConfig
from tests.helpers.animations import frame, write_animation


@pytest.fixture
def stored(s3, tmp_path) -> str:
    """Three animations in folders, and one in an archive beside them."""
    for number in range(3):
        write_animation(tmp_path / "in" / f"thing {number}", 2, f"way {number}")
    with zipfile.ZipFile(tmp_path / "in" / "packed.zip", "w") as archive:
        for number in range(2):
            archive.writestr(f"thing/frame00{number}.svg", frame(number))
        archive.writestr("thing/prompt.txt", "way 3")
    s3.upload(tmp_path / "in", "discovery/in")
    return "discovery/in"


def test_a_store_is_searched_though_it_refuses_some_requests(stored, proxy):
    root = proxy.uri(stored)
    proxy.refuse(2, "GET")
    found = list(find_animations(root))
    assert [animation.prompt for animation in found] == ["way 3", "way 0", "way 1", "way 2"]
    reader = AnimationReader(root, RasterConfig(size=16))
    for animation in found:
        frames = reader.read(animation.location)
        assert frames == [(f"frame00{number}.svg", frame(number)) for number in range(2)]


def test_a_store_that_fails_amid_a_search_ends_it(stored, proxy):
    search = find_animations(proxy.uri(stored))
    assert next(search).location == "packed.zip!/thing"
    proxy.go_down()
    with pytest.raises(OSError, match="thing 0: listing.* reached from here"):
        next(search)
