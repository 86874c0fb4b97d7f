"""Plans that were damaged, edited or written by others end in a sentence."""

import json
import os
import random

import pytest

from flipsketch.corpus.kinds import CORPUS_FORMAT
from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.plan_document import parse_document
from flipsketch.storage.folder import open_folder
from flipsketch.storage.sealed import to_json
from tests.helpers.edits import edit_bytes, edit_json

SETTINGS = {
    "format": CORPUS_FORMAT,
    "kind": "animate",
    "num_rows": 10,
    "manifest_fingerprint": "m",
    "rows_per_shard": 4,
    "batch_size": 2,
    "dtype": "float32",
}
PILOT = {"kind": "pilot", "rows": "2 5-6", "rows_per_shard": 2, "seed": 0}
RETRY = {"kind": "retry", "rows": "3 7-8"}
PLAN = Plan(SETTINGS, ("dtype",), {"manifest": "m.jsonl"}, (PILOT, RETRY))


def written(settings: dict | None = None, **changes) -> bytes:
    """A plan as a version with other checks could have written it."""
    document = json.loads(PLAN.to_json())
    plan = Plan(SETTINGS | (settings or {}))
    document |= {"settings": plan.settings, "fingerprint": plan.fingerprint, **changes}
    return to_json(document)


def test_what_is_written_is_read():
    assert Plan.from_json(PLAN.to_json()) == PLAN
    assert Plan.from_json(written()).settings == SETTINGS


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "not a plan"),
        (b"\xff\xfe{}", "not a plan"),
        (b"[]", "expected an object"),
        (b"{}", "it has no 'chosen'"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' * 40 + b"1" + b"}" * 40, "not deeply nested"),
        (b'{"log": {}, "log": {}}', "it has the key 'log' twice"),
        (written(log=[]), "'log' must be an object"),
        (written(additions={}), "'additions' must be a list"),
        (written(chosen=[1]), "names of settings"),
        (written(log={"manifest": 3}), "log: 'manifest' must be a text, found 3"),
        (written(log={"model": "\ud800"}), "cannot be encoded"),
        (written(extra=1), "a key 'extra' that this version does not know; it was written by a n"),
        (
            written({"paper": "white"}),
            "'paper' must be one of repair, as-is, refuse, found 'white'",
        ),
        (written({"kind": "dream"}), "of a kind that this version does not know .'dream'"),
        (written({"kind": []}), "of a kind that this version does not know"),
        (written({"format": CORPUS_FORMAT + 1}), "reads up to format 4; it was written by a newer"),
        (written({"format": "4"}), "of a format that no version has written"),
        (written({"format": 0}), "of a format that no version has written"),
        (written({"rows_per_shard": 0}), "'rows_per_shard' must be a whole number from 1"),
        (written({"rows_per_shard": 1e308}), "'rows_per_shard' must be a whole number"),
        (written({"num_rows": -5}), "'num_rows' must be a whole number"),
        (written({"num_rows": 10**12}), "'num_rows' must be a whole number"),
        (written({"num_rows": 10**9, "rows_per_shard": 1}), "more than 10,000,000"),
        (written({"splits": [["train", 3]]}), "splits do not have the 10 rows"),
        (written({"splits": [["a", 5], ["a", 5]]}), "two of its splits have one name"),
        (written({"splits": {"train": 3}}), "'splits' must be a list"),
        (written({"dtype": "int8"}), "'dtype' must be float32"),
        (written(additions=[{"kind": "retry", "rows": "0-99999999999"}]), "ascending ranges"),
        (written(additions=[{"kind": "retry", "rows": "5-1"}]), "ascending ranges"),
        (written(additions=[{"kind": "retry", "rows": "7 3"}]), "ascending ranges"),
        (written(additions=[{"kind": "retry", "rows": "10"}]), "each below the 10 rows"),
        (written(additions=[{"kind": "retry"}]), "ascending ranges"),
        (written(additions=[{"kind": "extend", "num_rows": 3}]), "addition 1: needs num_rows"),
        (written(additions=[{**PILOT, "rows": "5 2"}]), "a pilot needs rows_per_shard"),
        (written(additions=[{**PILOT, "rows_per_shard": 0}]), "a pilot needs rows_per_shard"),
        (written(additions=[PILOT, {**PILOT, "rows": "1-2"}]), "its pilots have a row twice"),
        (written(additions=[RETRY, PILOT]), "a pilot is drawn before anything else"),
        (
            written({"num_rows": 10**9}, additions=[{**PILOT, "rows": "0-999999"}]),
            "its pilots have 1,000,000 rows, more than 100,000",
        ),
        (
            written({"splits": [["train", 5], ["test", 5]]}, additions=[PILOT]),
            "a pilot is of a plan without splits",
        ),
        (written(additions=[3]), "of no kind that this version knows"),
        (
            written({"num_rows": 10**9}, additions=[{"kind": "retry", "rows": "0-99999999"}]),
            "100,000,000 that are tried again",
        ),
        (PLAN.to_json().replace(b"float32", b"float16"), "not as it was written"),
        (json.dumps(json.loads(PLAN.to_json())).encode(), "not as it was written"),
    ],
)
def test_what_no_run_has_written_is_named(content, reason):
    with pytest.raises(ValueError, match=reason):
        parse_document(content)


def test_settings_that_do_not_have_their_fingerprint_were_changed(tmp_path):
    document = json.loads(PLAN.to_json())
    document["settings"]["guidance_scale"] = 3.0
    for name in ("file_sha256", "sealed_by"):
        del document[name]
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="run.json: its fingerprint is not that of its settings"):
        read_plan(open_folder(str(tmp_path)))


def test_a_plan_of_an_earlier_version_is_read(tmp_path):
    document = json.loads(PLAN.to_json())
    del document["file_sha256"], document["sealed_by"], document["additions"]
    (tmp_path / "run.json").write_text(json.dumps(document, indent=1))
    assert read_plan(open_folder(str(tmp_path))).settings == SETTINGS


def test_a_folder_or_a_pipe_in_place_of_a_plan_is_named(tmp_path):
    (tmp_path / "one" / "run.json").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    os.mkfifo(tmp_path / "two" / "run.json")
    for name in ("one", "two"):
        with pytest.raises(ValueError, match="expected a file, found a folder or device"):
            read_plan(open_folder(str(tmp_path / name)))


def test_edited_plans_are_read_or_refused_in_a_sentence():
    content, rng = PLAN.to_json(), random.Random(0)
    outcomes = {"read": 0, "refused": 0}
    for number in range(600):
        edited = (edit_bytes if number % 3 == 0 else edit_json)(content, rng)
        try:
            plan = Plan.from_json(edited)
        except ValueError as error:
            assert str(error)
            outcomes["refused"] += 1
            continue
        # What is read can be worked with.
        assert sum(len(part.rows_in(part.first_shard)) for part in plan.parts) <= plan.num_rows + 4
        assert all(plan.split_of(index) for index in range(min(plan.num_shards, 50)))
        assert plan.num_rows and isinstance(plan.licence, str) and plan.format
        outcomes["read"] += 1
    assert outcomes["refused"] > 400 and outcomes["read"] > 10
