import pytest

from flipsketch.media.config import AS_IS, SketchConfig


def test_what_says_nothing_of_a_page_is_of_an_earlier_version():
    assert SketchConfig.of({}) == SketchConfig.of({"paper": None, "fit": None}) == AS_IS
    assert SketchConfig.of({"paper": "repair", "fit": "ink"}) == SketchConfig("repair", "ink")


def test_columns_of_an_older_corpus_are_its_manifest_s():
    assert SketchConfig.of_row({"paper": "A4", "fit": "loose"}) == AS_IS
    row = {"paper": "refuse", "fit": "none", "sketch_notes": []}
    assert SketchConfig.of_row(row) == SketchConfig("refuse")


@pytest.mark.parametrize("settings", [{"paper": "white"}, {"fit": "page"}, {"paper": ["repair"]}])
def test_what_no_version_knows_is_refused(settings):
    with pytest.raises(ValueError, match="must be one of"):
        SketchConfig(**settings)
