"""A corpus of Live-Sketch is read as a folder of animations would be."""

import shutil

import pytest

from flipsketch.animations.discovery import Animation, find_animations
from flipsketch.animations.reader import AnimationReader, RasterConfig
from flipsketch.animations.vector_corpus import VectorCorpus, name_animation
from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.shard import read_metadata, read_sample
from flipsketch.storage.folder import open_folder
from tests.helpers.animations import write_training_shards
from tests.helpers.vector_corpora import (
    STEPS,
    change_first_svg,
    plan_vector_corpus,
    svg_frames,
    write_vector_corpus,
    write_vector_shard,
)

IDS = ["cat 3", "birds/crow", "ball", "éléphant.svg"]
CROW = Row(index=1, id="birds/crow").key


def test_its_good_rows_are_animations_with_their_very_frames(tmp_path):
    root = write_vector_corpus(str(tmp_path), IDS)
    found = {animation.name: animation for animation in find_animations(root)}
    assert list(found) == sorted(["cat 3", CROW, "ball", "éléphant.svg"])
    assert found["cat 3"] == Animation("cat 3", "cat 3", "it moves, way 0", "cc0-1.0, cc-by-nc-4.0")
    reader = AnimationReader(root, RasterConfig(step=STEPS))
    for number, name in enumerate(["cat 3", CROW, "ball", "éléphant.svg"]):
        frames = [(f"frame{i:03d}.svg", svg) for i, svg in enumerate(svg_frames(number))]
        assert reader.read(found[name].location) == frames
    with pytest.raises(ValueError, match=f"has no step 7, only {STEPS}"):
        AnimationReader(root, RasterConfig(step=7)).read("ball")


def test_only_committed_good_rows_count_and_the_others_are_told(tmp_path, caplog):
    root = write_vector_corpus(str(tmp_path), [*IDS, "car"], failed=(2,), shards=2)
    # A tar whose shard was not committed.
    shutil.copy(tmp_path / "clips" / "00000.tar", tmp_path / "clips" / "00002.tar")
    names = [animation.name for animation in find_animations(root)]
    assert names == sorted(["cat 3", CROW, "éléphant.svg"])
    assert "left out: 1 row that failed, 1 row not made yet" in caplog.text
    write_vector_shard(root, 2, [*IDS, "car"])
    assert "car" in [animation.name for animation in find_animations(root)]


def test_a_damaged_shard_costs_no_other(tmp_path, caplog):
    root = write_vector_corpus(str(tmp_path), IDS)
    (tmp_path / "metadata" / "00000.parquet").write_bytes(b"PAR1 and no more")
    assert [found.name for found in find_animations(root)] == ["ball", "éléphant.svg"]
    assert "metadata/00000.parquet: not readable" in caplog.text
    assert "2 rows not made yet" in caplog.text
    reader = AnimationReader(root, RasterConfig())
    with pytest.raises(OSError, match="no good row named 'cat 3' can be read: metadata/00000"):
        reader.read("cat 3")
    assert len(reader.read("ball")) == 4


def test_a_sample_without_its_svg_is_named(tmp_path):
    root = write_vector_corpus(str(tmp_path), IDS, without_svg=(2,))
    key = Row(index=2, id="ball").key
    with pytest.raises(ValueError, match=f"the sample {key} has no {key}.svg"):
        AnimationReader(root, RasterConfig()).read("ball")
    assert len(AnimationReader(root, RasterConfig()).read("cat 3")) == 4


def test_a_changed_byte_of_an_svg_fails_its_sample_alone(tmp_path):
    root = write_vector_corpus(str(tmp_path), IDS)
    change_first_svg(tmp_path / "clips" / "00001.tar")
    key = Row(index=2, id="ball").key
    damage = f"clips/00001.tar: the sample {key} is damaged .{key}.svg is not as .*delete the tar"
    reader = AnimationReader(root, RasterConfig())
    with pytest.raises(ValueError, match=damage):
        reader.read("ball")
    assert len(reader.read("éléphant.svg")) == 4
    # As it is copied by those who curate, and read by others.
    (row, other) = read_metadata(open_folder(root), 1).to_pylist()
    with pytest.raises(ValueError, match=damage):
        read_sample(open_folder(root), 1, row)
    assert read_sample(open_folder(root), 1, other).svg


@pytest.mark.parametrize(
    ("row_id", "is_plain"),
    [
        ("cat 3", True),
        ("a.b-c_(d)", True),
        ("猫", True),
        ("../cat", False),
        (".cat", False),
        ("_tmp", False),
        ("svg_logs", False),
        ("cats.zip", False),
        ("cat\n", False),
        ("x" * 61, False),
        ("0123456789abcdef0123", False),
    ],
)
def test_an_id_that_can_be_no_folder_gives_way_to_the_key(row_id, is_plain):
    assert name_animation(row_id, "k" * 20) == (row_id if is_plain else "k" * 20)


def test_what_holds_no_vector_animations_is_refused(tmp_path):
    begin_run(open_folder(str(tmp_path / "a")), plan_vector_corpus(2, method="flipsketch"))
    with pytest.raises(ValueError, match="clips made by flipsketch, which are pixels; only"):
        list(find_animations(str(tmp_path / "a")))
    shards = write_training_shards(tmp_path / "b", 1, 2)
    with pytest.raises(ValueError, match="holds training shards, which are drawn already"):
        list(find_animations(shards))
    failed = write_vector_corpus(str(tmp_path / "c"), IDS, failed=(0, 1), shards=1)
    with pytest.raises(ValueError, match="no animation yet .2 rows that failed, 2 rows not made"):
        VectorCorpus(open_folder(failed))
