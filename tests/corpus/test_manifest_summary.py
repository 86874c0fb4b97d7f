"""What planning has found in a manifest is taken from its file only as it was written."""

import json
import random

import pytest

from flipsketch.corpus.manifest import ManifestSummary, summarize_manifest
from tests.helpers.corpora import make_manifest
from tests.helpers.edits import edit_bytes, edit_json

ROWS = [{"id": f"{n % 5}", "sketch": "a.svg", "prompt": "it moves", "mood": n} for n in range(7)]


@pytest.fixture
def summary(tmp_path) -> ManifestSummary:
    rows = [*ROWS, {"id": "bad", "sketch": "", "prompt": "it moves"}]
    return summarize_manifest(make_manifest(tmp_path, rows))


def test_what_is_written_is_read(summary):
    found = ManifestSummary.from_json(summary.to_json())
    assert found.repeats == summary.repeats == {5: 0, 6: 1} and found.num_bad == 1
    assert found.extra_schema == summary.extra_schema and found.file == summary.file


def test_a_summary_of_an_earlier_version_is_read(summary):
    fields = json.loads(summary.to_json())
    del fields["file_sha256"], fields["sealed_by"]
    assert ManifestSummary.from_json(json.dumps(fields).encode()).num_rows == 8


@pytest.mark.parametrize(
    "change",
    [
        *({"num_rows": 0}, {"num_rows": 1e308}, {"num_rows": True}, {"num_bad": 9}),
        *({"repeats": [[1, 99]]}, {"repeats": [["1", 0]]}, {"repeats": 3}, {"repeats": [[-1, 0]]}),
        *({"extra_schema": "%"}, {"extra_schema": "AAAA"}, {"extra_schema": None}),
        *({"file": None}, {"bad_examples": [1]}, {"prefix_fingerprint": 1}, {"more": 1}),
    ],
)
def test_what_no_planning_has_written_is_refused(summary, change):
    fields = {**json.loads(summary.to_json()), **change}
    del fields["file_sha256"], fields["sealed_by"]
    with pytest.raises(ValueError, match="is no summary of a manifest"):
        ManifestSummary.from_json(json.dumps(fields).encode())


def test_edited_summaries_are_read_or_refused_in_a_sentence(summary):
    content, rng = summary.to_json(), random.Random(0)
    num_refused = 0
    for number in range(300):
        edited = (edit_bytes if number % 3 == 0 else edit_json)(content, rng)
        try:
            assert ManifestSummary.from_json(edited).num_rows > 0
        except ValueError as error:
            assert " " in str(error)
            num_refused += 1
    assert num_refused > 200
