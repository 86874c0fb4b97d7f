import logging

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.animations.captions import find_caption, read_captions

TABLES = {
    "captions.tsv": "name\tprompt\nbirds/crow_scaled1\tA crow,  flying.\ncat\tA cat jumps.\n",
    "captions.csv": 'name,prompt\nbirds/crow_scaled1,"A crow,  flying."\ncat,A cat jumps.\n',
    "captions.jsonl": '{"name": "birds/crow_scaled1", "prompt": "A crow,  flying."}\n'
    '{"name": "cat", "prompt": "A cat jumps."}\n',
}


@pytest.mark.parametrize("name", [*TABLES, "captions.parquet"])
def test_every_format_gives_the_same_captions(tmp_path, name):
    path = tmp_path / name
    if name in TABLES:
        path.write_text(TABLES[name])
    else:
        names, prompts = ["birds/crow_scaled1", "cat"], ["A crow,  flying.", "A cat jumps."]
        pq.write_table(pa.table({"name": names, "prompt": prompts}), path)
    assert read_captions(str(path)) == {"birds/crow": "A crow, flying.", "cat": "A cat jumps."}


def test_a_caption_is_found_by_the_path_or_its_last_part():
    captions = {"crow": "a crow", "set 2/crow": "another crow"}
    assert find_caption(captions, "crow") == find_caption(captions, "set 1/crow") == "a crow"
    assert find_caption(captions, "set 2/crow_scaled1") == "another crow"
    assert find_caption(captions, "cat") is None


def test_rows_without_a_name_or_a_prompt_are_left_out_with_a_word(tmp_path, caplog):
    path = tmp_path / "captions.csv"
    path.write_text("name,prompt\ncat,\n,a dog\ncrow,a crow\n")
    with caplog.at_level(logging.WARNING):
        assert read_captions(str(path)) == {"crow": "a crow"}
    assert "row 1 has no name and prompt" in caplog.text and "row 2" in caplog.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,prompt\ncat,a\ncat_scaled1,b\n", "row 2 gives 'cat' another prompt than row 1"),
        ("file,prompt\ncat,a\n", "has no column name"),
        ("name,note,note,prompt\ncat,x,y,a\n", "has column 'note' twice"),
    ],
)
def test_captions_that_contradict_themselves_are_refused(tmp_path, text, complaint):
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_captions(str(tmp_path / "captions.csv"))
