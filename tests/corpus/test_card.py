"""Cards are YAML whatever they have to say, their types hold, and their examples run as pasted."""

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
from huggingface_hub import metadata_load

from flipsketch.corpus.card import describe_features, write_card
from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.sample import encode_sample
from flipsketch.corpus.shard import ROW_DIGEST, ROW_SCHEMA, read_shards, write_shard
from flipsketch.media.clip import Clip
from flipsketch.models.cards import model_licence
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from tests.helpers.animations import write_training_shards
from tests.helpers.corpora import good_rows, make_manifest, read_rows

LICENCES = [
    "cc-by-nc-4.0",
    "mine: all of it",
    "\"quoted\" and 'quoted'",
    "two\nlines",
    "no",
    "null",
    "1.0",
    "- # [x] {y} |",
]
LOCAL = ExecutorConfig(executor="local")


def write_corpus(output: Path, *, licence: str = "mit", moods: tuple[str | None, ...] = ("glad",)):
    """Write a small corpus with a column `mood` of the manifest's, two rows a shard."""
    folder = open_folder(str(output))
    settings = {"num_rows": len(moods), "rows_per_shard": 2, "manifest_fingerprint": "m"}
    settings |= {"kind": "animate", "method": "still", "model_licence": "cc-by-nc-nd-4.0"}
    plan = Plan(settings, log={"licence": licence})
    schema = pa.schema([*ROW_SCHEMA, ("mood", pa.string())])
    begin_run(folder, plan)
    facts = []
    for shard in plan.parts[0].shards:
        rows, samples = [], []
        for number in plan.parts[0].rows_in(shard).tolist():
            frames = np.random.default_rng(number).integers(0, 256, (2, 8, 8, 3), np.uint8)
            key, prompt = f"{output.name}-{number}", f"way {number}"
            rows.append({"id": key, "key": key, "prompt": prompt, "mood": moods[number]})
            rows[-1] |= {"status": "ok", "num_frames": 2, ROW_DIGEST: bytes(32)}
            names = [schema.field(name) for name in ("id", "num_frames", "mood")]
            clip = Clip(key, prompt, frames)
            samples.append(encode_sample(clip, frames[1], rows[-1], pa.schema(names)))
        facts.append(write_shard(folder, plan, shard, rows, samples, schema))
    write_card(folder, plan, facts)
    return output


@pytest.mark.parametrize("licence", LICENCES)
def test_a_licence_is_read_back_as_it_was_given(tmp_path, licence):
    corpus = write_corpus(tmp_path / "corpus", licence=licence)
    card = metadata_load(corpus / "README.md")
    assert card["license"] == licence
    assert card["configs"][0]["data_files"] == [{"split": "train", "path": ["clips/00000.tar"]}]
    assert model_licence(corpus) == licence


@pytest.mark.parametrize("streaming", [True, False])
def test_corpora_load_together_whatever_is_null_in_them(tmp_path, streaming):
    none = write_corpus(tmp_path / "none", moods=(None,) * 6)
    late = write_corpus(tmp_path / "late", moods=(None,) * 5 + ("glad",))
    cache = str(tmp_path / "cache")
    loaded = [
        datasets.load_dataset(str(corpus), split="train", streaming=streaming, cache_dir=cache)
        for corpus in (none, late)
    ]
    assert loaded[0].features == loaded[1].features
    assert loaded[0].features["json"]["mood"] == datasets.Value("string")
    clips = list(datasets.concatenate_datasets(loaded))
    assert [clip["json"]["mood"] for clip in clips] == [None] * 11 + ["glad"]
    assert [clip["txt"] for clip in clips] == [f"way {number}" for number in range(6)] * 2
    assert clips[0]["sketch.png"].size == (8, 8) and clips[0]["png"].size == (8, 16)


def test_types_are_written_as_datasets_writes_them():
    schema = pa.schema(
        [
            ("flag", pa.bool_()),
            ("share", pa.float32()),
            ("names", pa.list_(pa.string())),
            ("grid", pa.list_(pa.list_(pa.int8()))),
            ("boxes", pa.list_(pa.struct([("x", pa.int64()), ("y", pa.int64())]))),
            ("place", pa.struct([("x", pa.float64()), ("when", pa.timestamp("s"))])),
        ]
    )
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    record = dict.fromkeys(schema.names)
    found = describe_features(
        encode_sample(Clip("k", "", frames), frames[0], record, schema), schema
    )
    features = datasets.Features._from_yaml_list(found)
    assert features._to_yaml_list() == found
    assert features["json"]["grid"] == datasets.List(datasets.List(datasets.Value("int64")))
    assert features["json"]["place"]["when"] == datasets.Value("string")


def read_triples(code: str, corpus: str) -> list[tuple]:
    """Return what an example of a card yields, each triple as a hash."""
    namespace: dict = {}
    exec(code, namespace)
    triples = []
    for sketch, prompt, frames in namespace["read_clips"](corpus):
        assert sketch.dtype == frames.dtype == np.uint8 and frames.shape[1:] == sketch.shape
        content = sketch.tobytes() + prompt.encode() + frames.tobytes()
        triples.append((prompt, hashlib.sha256(content).hexdigest(), frames))
    return triples


def check_examples(corpus: str, num_clips: int) -> None:
    """The three examples of a card yield the same, and frames are those of the metadata."""
    card = (Path(corpus) / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(examples) == 3
    by_datasets, by_webdataset, by_pyarrow = (read_triples(code, corpus) for code in examples)
    assert [triple[:2] for triple in by_datasets] == [triple[:2] for triple in by_webdataset]
    assert [triple[:2] for triple in by_datasets] == [triple[:2] for triple in by_pyarrow]
    assert len(by_datasets) == num_clips
    hashes = {hashlib.sha256(frames.tobytes()).hexdigest() for _, _, frames in by_datasets}
    assert hashes <= {row["frames_sha256"] for row in read_rows(corpus)}


def test_the_examples_load_a_corpus_with_failed_rows_and_second_tries(job, tmp_path):
    rows = good_rows(6)
    rows[1]["sketch"] = str(tmp_path / "later.svg")
    rows[2]["sketch"] = rows[3]["sketch"] = "never.svg"
    job = replace(job, manifest=make_manifest(tmp_path, rows))
    animate_manifest(job)
    shutil.copy(tmp_path / rows[0]["sketch"], tmp_path / "later.svg")
    animate_manifest(replace(job, retry_failed=True))
    check_examples(job.output, 4)


def test_the_examples_load_training_shards(tmp_path):
    output = write_training_shards(tmp_path, 5, 3, licence="mine: all of it")
    assert metadata_load(Path(output) / "README.md")["license"] == "mine: all of it"
    check_examples(output, 5)


def test_the_examples_load_the_first_split_of_a_curated_corpus(job, clip_folder, tmp_path):
    animate_manifest(job)
    evaluate(EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=LOCAL))
    chosen = CurateConfig(
        corpus=job.output,
        output=str(tmp_path / "chosen"),
        keep=(),
        duplicate_cosine=None,
        splits=("train=0.5", "val=0.5"),
        rows_per_shard=2,
    )
    curate(chosen)
    rows = read_rows(chosen.output)
    num_train = sum(row["split"] == "train" for row in rows)
    assert 0 < num_train < len(rows) == 6
    check_examples(chosen.output, num_train)


def test_a_corpus_without_clips_has_a_card(job, tmp_path):
    rows = [{**row, "sketch": "none.svg"} for row in good_rows(2)]
    animate_manifest(replace(job, manifest=make_manifest(tmp_path, rows)))
    card = metadata_load(Path(job.output) / "README.md")
    assert "dataset_info" not in card
    assert card["configs"][0]["data_files"] == [{"split": "train", "path": []}]


def test_the_card_of_a_corpus_of_format_3_declares_what_its_samples_hold(tmp_path):
    source = Path(__file__).parent / "format3" / "corpus"
    folder = open_folder(str(shutil.copytree(source, tmp_path / "corpus")))
    plan = read_plan(folder)
    write_card(folder, plan, list(read_shards(folder, plan)[0].values()))
    clips = datasets.load_dataset(folder.path, split="train", streaming=True)
    assert "sketch.png" not in clips.features and len(list(clips)) == 3
