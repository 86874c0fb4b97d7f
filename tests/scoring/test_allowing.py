"""What licenses allow of a corpus of mixed terms, each verdict as `data/licenses.toml` has it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flipsketch.corpus.plan import Plan
from flipsketch.scoring.allowing import find_allowed
from flipsketch.scoring.scored_clips import ScoredClips

FREE = {"model": "apache-2.0", "sketch": "cc0-1.0", "scorer": "mit"}
# What differs from that, and whether commercial use and training others are allowed.
CASES = [
    ({}, True, True),
    ({"model": "cc-by-nc-4.0"}, False, True),
    ({"model": "cc-by-nc-4.0, cc-by-nc-nd-4.0"}, False, False),
    ({"model": "creativeml-openrail-m", "motion": "apache-2.0"}, True, True),
    ({"model": "creativeml-openrail-m", "motion": None, "has_motion": True}, False, False),
    ({"adapter": "cc-by-nc-sa-4.0"}, False, True),
    ({"adapter": None, "has_adapter": True}, False, False),
    ({"sketch": "CC BY-ND 4.0"}, True, False),
    ({"sketch": "CC BY-SA 4.0"}, True, True),
    ({"sketch": "drawn by my aunt"}, False, False),
    ({"sketch": "tencent-hunyuan-community"}, False, False),
    # A row that names none has that of its corpus, which is not named.
    ({"sketch": None}, False, False),
    ({"scorer": "unknown"}, False, False),
    ({"scorer": None}, False, False),
    ({"model": "unknown", "method": "still"}, True, True),
]


def make_clips(cases: list[dict]) -> ScoredClips:
    rows = []
    for case in ({**FREE, **case} for case in cases):
        has_adapter = case.get("has_adapter") or case.get("adapter")
        has_motion = case.get("has_motion") or case.get("motion")
        rows.append(
            {
                "license": case["sketch"],
                "method": case.get("method", "flipsketch"),
                "model_fingerprint": "f1",
                "model_licence": case["model"],
                "lora_fingerprint": "f2" if has_adapter else None,
                "lora_license": case.get("adapter"),
                "motion_fingerprint": "f3" if has_motion else None,
                "motion_license": case.get("motion"),
            }
        )
    scores = pa.table({"scorer_license": [{**FREE, **case}["scorer"] for case in cases]})
    return ScoredClips(pa.Table.from_pylist(rows), scores, np.zeros(len(rows), int), "f4")


def make_plan(licence: str | None = None) -> Plan:
    settings = {"kind": "animate", "num_rows": len(CASES), "rows_per_shard": 10}
    return Plan(settings, log={"licence": licence} if licence else {})


def test_every_part_of_a_clip_has_to_allow_every_use(caplog):
    caplog.set_level("INFO")
    clips = make_clips([case for case, _, _ in CASES])
    commercial, training = (
        find_allowed([use], clips, make_plan()).tolist() for use in ("commercial", "train-others")
    )
    assert commercial == [expected for _, expected, _ in CASES]
    assert training == [expected for _, _, expected in CASES]
    both = find_allowed(["commercial", "train-others"], clips, make_plan()).tolist()
    assert both == [all(expected) for _, *expected in CASES]
    assert "allows commercial: 5 of 15 clips; left out for the model: 1 CC-BY-NC-4.0 (no)" in (
        caplog.text
    )
    assert "; left out for the scorer: 2 not stated (unknown)" in caplog.text
    assert "the license of the scorer is unknown, so nothing is known to be allowed" in caplog.text


def test_rows_that_name_no_license_have_that_of_their_corpus():
    clips = make_clips([{"sketch": None}, {"sketch": "cc-by-nc-4.0"}])
    assert find_allowed(["commercial"], clips, make_plan("cc0-1.0")).tolist() == [True, False]


def test_clips_come_under_the_terms_of_every_scorer_that_chose_them():
    plan = make_plan()
    chosen = replace(plan, log={**plan.log, "scorer_license": "cc-by-nc-4.0"})
    assert find_allowed(["commercial"], make_clips([{}]), chosen).tolist() == [False]


def test_licenses_are_not_looked_at_unless_asked(caplog):
    caplog.set_level("INFO")
    clips = make_clips([{"model": "unknown", "sketch": None}])
    assert find_allowed([], clips, make_plan()).tolist() == [True]
    assert not caplog.records


@pytest.mark.parametrize("column", ["license", "model_licence", "lora_fingerprint"])
def test_a_corpus_of_an_earlier_version_lacks_columns_and_so_allows_nothing(column):
    clips = make_clips([{"adapter": "mit"}])
    metadata = clips.metadata.drop_columns(
        ["lora_license"] if column == "lora_fingerprint" else [column]
    )
    earlier = ScoredClips(metadata, clips.scores, clips.shards, clips.scorers)
    assert find_allowed(["commercial"], earlier, make_plan()).tolist() == [False]
