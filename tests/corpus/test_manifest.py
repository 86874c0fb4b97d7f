import gzip
import hashlib
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.corpus.manifest import parse_rows, read_rows, summarize_manifest
from flipsketch.corpus.row import MAX_SEED, parse_row


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read_all(location):
    return list(read_rows(location, summarize_manifest(location)))


GOOD = {"id": "cat", "sketch": "cat.svg", "prompt": "a cat"}


def test_three_formats_give_the_same_rows(tmp_path):
    rows = [
        {
            **GOOD,
            "seed": 7,
            "reference_scale": 0.25,
            "sketch_in_noise": 1,
            "num_frames": 12,
            "align": False,
        },
        {**GOOD, "id": "dog", "prompt": 'a "dog",\nrunning', "negative_prompt": "grey"},
    ]
    jsonl = write_jsonl(tmp_path / "a.jsonl", rows)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows, schema=None), tmp_path / "a.parquet")
    columns = [
        "id",
        "sketch",
        "prompt",
        "seed",
        "reference_scale",
        "sketch_in_noise",
        "num_frames",
        "align",
    ]
    (tmp_path / "a.csv").write_text(
        ",".join([*columns, "negative_prompt"])
        + '\ncat,cat.svg,a cat,7,0.25,1,12,false,\ndog,cat.svg,"a ""dog"",\nrunning",,,,,,grey\n'
    )
    expected = read_all(jsonl)
    assert expected[0].seed == 7 and expected[0].align is False and expected[0].num_frames == 12
    pq.write_table(
        pa.table({n: [row.get(n) for row in rows] for n in [*columns, "negative_prompt"]}),
        tmp_path / "a.parquet",
    )
    for name in ("a.jsonl.gz", "a.csv", "a.parquet"):
        assert read_all(str(tmp_path / name)) == expected, name
        summary = summarize_manifest(str(tmp_path / name))
        assert summary.fingerprint == summarize_manifest(jsonl).fingerprint, name


def test_seed_and_key_depend_on_the_id_alone(tmp_path):
    one = read_all(write_jsonl(tmp_path / "one.jsonl", [GOOD]))
    two = read_all(write_jsonl(tmp_path / "two.jsonl", [{**GOOD, "id": "x"}, GOOD]))
    assert (one[0].seed, one[0].key) == (two[1].seed, two[1].key)
    # First 8 bytes of SHA-256("cat") without the lowest bit, and its first 20 hex digits.
    assert one[0].key == "77af778b51abd4a3c51c"
    assert one[0].seed == 0x77AF778B51ABD4A3 >> 1
    assert two[0].seed != two[1].seed


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": ""}, "id must be"),
        ({"id": None}, "id must be"),
        ({"id": ["x"]}, "id must be"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "  "}, "the prompt is empty"),
        ({"prompt": 3}, "a prompt must be"),
        ({"prompt": None}, "either prompt or prompts"),
        ({"prompts": ["a", "b"]}, "either prompt or prompts"),
        ({"prompt": None, "prompts": []}, "prompts must be a list"),
        ({"prompt": None, "prompts": ["a", ""]}, "the prompt is empty"),
        ({"prompt": "\ud800"}, "a prompt must be"),
        ({"sketch": ""}, "either sketch"),
        ({"sketch": None}, "either sketch"),
        ({"seed": -1}, "seed must be"),
        ({"seed": MAX_SEED + 1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"num_frames": 1}, "num_frames must be"),
        ({"num_frames": "many"}, "num_frames must be"),
        ({"reference_scale": "inf"}, "reference_scale must be"),
        ({"seed": 10**401}, "seed must be"),
        ({"seed": "9" * 5000}, "seed must be"),
        ({"num_frames": 10**401}, "num_frames must be"),
        ({"reference_scale": 10**400}, "reference_scale must be"),
        ({"sketch_in_noise": f"-{10**400}"}, "sketch_in_noise must be"),
        ({"\ud800": 1}, "line 1: has a column named '\\ud800'"),
        ({"sketch_in_noise": "much"}, "sketch_in_noise must be a number"),
        ({"align": "perhaps"}, "align must be"),
        ({"negative_prompt": 3}, "negative_prompt must be"),
    ],
)
def test_one_bad_row_is_one_failed_row(tmp_path, fields, reason):
    location = write_jsonl(tmp_path / "a.jsonl", [{**GOOD, **fields}, {**GOOD, "id": "dog"}])
    bad, good = read_all(location)
    assert reason in bad.error
    assert good.error is None and good.id == "dog"


def test_a_first_row_without_a_prompt_is_just_a_bad_row(tmp_path):
    rows = [{"id": "a", "sketch": "a.svg"}, GOOD]
    bad, good = read_all(write_jsonl(tmp_path / "a.jsonl", rows))
    assert "either prompt or prompts" in bad.error and good.error is None


def test_a_line_that_is_not_json_is_one_failed_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"id": \xff\xfe}\n[1]\n\n' + b"[" * 100_000)
    rows = read_all(str(path))
    assert rows[0].error is None
    assert "line 2: not a line of JSON" in rows[1].error
    assert "line 3: expected a JSON object, found list" in rows[2].error
    assert "line 5: not a line of JSON" in rows[3].error


def test_a_line_that_has_a_name_twice_is_one_failed_row(tmp_path):
    path = tmp_path / "a.jsonl"
    row = json.dumps(GOOD)
    lines = [row, row[:-1] + ', "id": "b"}', row[:-1] + ', "x": {"y": 1, "y": 1}}']
    path.write_text("\n".join(lines))
    good, *bad = read_all(str(path))
    assert good.error is None
    assert [row.error for row in bad] == [
        "line 2: has 'id' 2 times; give each name once",
        "line 3: has 'y' 2 times; give each name once",
    ]


def test_a_line_is_read_alike_however_deep_its_reader_stands(tmp_path):
    rows = [json.dumps(GOOD), json.dumps({**GOOD, "id": "text", "x": "[" * 2000})]
    for depth in (499, 500, 900, 980):
        rows.append(
            json.dumps({**GOOD, "id": str(depth)})[:-1] + f', "x": {"[" * depth}{"]" * depth}}}'
        )
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    location = str(tmp_path / "a.jsonl")
    summary = summarize_manifest(location)

    def read_below(frames: int) -> list:
        return read_below(frames - 1) if frames else list(read_rows(location, summary))

    rows = read_below(200)
    assert [row.error for row in rows[:3]] == [None] * 3
    assert all("nested more than 500 deep" in row.error for row in rows[3:])


def test_csv_with_a_huge_number_fails_that_row_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"id,sketch,prompt,seed,align\na,a.svg,p,{10**401},\nb,a.svg,p,7,1\n")
    bad, good = read_all(str(path))
    assert bad.error.startswith("seed must be") and (good.seed, good.align) == (7, True)


def test_decimals_are_numbers(tmp_path):
    columns = {"seed": ["2.0", "2.5", None], "reference_scale": [None, None, "0.5"]}
    table = {"id": ["a", "b", "c"], "sketch": ["a.svg"] * 3, "prompt": ["p"] * 3}
    for name, texts in columns.items():
        values = [text and Decimal(text) for text in texts]
        table[name] = pa.array(values, pa.decimal128(20, 1))
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    whole, broken, scaled = read_all(str(tmp_path / "a.parquet"))
    assert (whole.seed, whole.error, scaled.reference_scale) == (2, None, 0.5)
    assert broken.error.startswith("seed must be a whole number")


def test_a_row_whose_values_cannot_even_be_shown_fails_alone():
    class Unshowable:
        def __repr__(self) -> str:
            raise RuntimeError("no text for this")

    for name in ("id", "seed", "align", "sketch_in_noise"):
        row = parse_row(0, {**GOOD, name: Unshowable()})
        assert row.error == "row 1: cannot be read (RuntimeError: no text for this)"


def test_csv_lines_with_too_many_fields_or_bytes_that_are_no_text_fail_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,sketch,prompt\na,a.svg,cat\nb,b.svg,cat,x\nc,c.svg,\xff\nd,d.svg,dog\n")
    rows = read_all(str(path))
    assert [row.error is None for row in rows] == [True, False, False, True]
    assert "more fields than the header" in rows[1].error


def test_later_rows_of_a_repeated_id_fail(tmp_path):
    rows = [GOOD, {**GOOD, "id": "dog"}, GOOD, {**GOOD, "prompt": "again"}]
    errors = [row.error for row in read_all(write_jsonl(tmp_path / "a.jsonl", rows))]
    assert errors[:2] == [None, None]
    assert all("id 'cat' is already used by row 1" in error for error in errors[2:])


def test_extra_columns_get_one_type_for_all_rows(tmp_path):
    extras = [
        {"split": "train", "score": 1, "mixed": 1, "flag": True, "box": [1, 2], "empty": None},
        {"split": None, "score": 0.5, "mixed": "x", "flag": None},
    ]
    rows = [{**GOOD, "id": str(n), **extra} for n, extra in enumerate(extras)]
    location = write_jsonl(tmp_path / "a.jsonl", rows)
    types = summarize_manifest(location).extra_schema
    assert types.field("score").type == pa.float64()
    assert types.field("flag").type == pa.bool_()
    first, second = (row.extra for row in read_all(location))
    assert first["score"] == 1.0 and first["mixed"] == "1" and first["box"] == "[1, 2]"
    assert second["mixed"] == "x" and second["box"] is None
    pa.Table.from_pylist([first, second], schema=types)


def test_parquet_keeps_the_types_of_its_extra_columns(tmp_path):
    table = pa.table(
        {
            "id": ["a"],
            "sketch_bytes": pa.array([b"<svg/>"]),
            "prompts": [["a", "b"]],
            "when": pa.array([0], pa.timestamp("ms")),
            "boxes": pa.array([[1, 2]], pa.list_(pa.int8())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    schema = summarize_manifest(str(tmp_path / "a.parquet")).extra_schema
    assert schema.field("when").type == pa.timestamp("ms")
    assert schema.field("boxes").type == pa.list_(pa.int8())
    (row,) = read_all(str(tmp_path / "a.parquet"))
    assert row.sketch == b"<svg/>" and row.prompts == ("a", "b")
    pa.Table.from_pylist([row.extra], schema=schema)


def test_numbers_that_pandas_made_floats_are_read_as_meant(tmp_path):
    table = pa.table(
        {
            "id": [1, 2],
            "sketch": ["a", "b"],
            "prompt": ["a", "b"],
            "seed": [5.0, float("nan")],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = read_all(str(tmp_path / "a.parquet"))
    assert (first.id, first.seed) == ("1", 5)
    assert second.error is None


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "", "expected a table named"),
        ("a.jsonl", "", "has no rows"),
        ("a.jsonl", '{"id": "a", "prompt": "a"}\n', "has no column sketch or sketch_bytes"),
        ("a.csv", "id,sketch,text\na,b,c\n", "has no column prompt or prompts"),
        ("a.parquet", "not parquet", "not a readable Parquet file"),
        ("a.csv", 'id,sketch,prompt\na,b,c\nd,e,"f\ng,h,i\n', "line 3: the row that begins"),
        ("a.csv", "id,id,sketch,prompt\na,b,c,d\n", "has column 'id' 2 times"),
        ("a.csv", b"id,sketch,prompt,\xff\na,b,c,d\n", "a.csv: line 1: has a column named"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=reason):
        summarize_manifest(str(tmp_path / name))


def test_reserved_names_and_missing_files_are_refused(tmp_path):
    location = write_jsonl(tmp_path / "a.jsonl", [{**GOOD, "status": "new"}])
    with pytest.raises(ValueError, match="'status' is a reserved name"):
        summarize_manifest(location, reserved=["status"])
    with pytest.raises(OSError, match="b.jsonl"):
        summarize_manifest(str(tmp_path / "b.jsonl"))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_all_that_is_wrong_with_the_columns_is_said_at_once(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    names = ["id", "text", "status", "seed", "key"] + (["text"] if ending != "jsonl" else [])
    if ending == "csv":
        path.write_text(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    elif ending == "jsonl":
        write_jsonl(path, [dict.fromkeys(names[:2], "1"), dict.fromkeys(names, "1")])
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(["1"])] * len(names), names), path)
    with pytest.raises(ValueError) as error:
        summarize_manifest(str(path), reserved=["status", "key", "seed", "height"])
    message = str(error.value)
    assert ("has column 'text' 2 times" in message) == (ending != "jsonl")
    assert "has no column sketch or sketch_bytes; has no column prompt or prompts" in message
    assert "column 'key' is a reserved name; column 'status' is a reserved name" in message
    assert f"(found: {', '.join(names)})" in message and "'seed'" not in message


def test_every_row_and_their_order_are_in_the_fingerprint(tmp_path):
    dog = {**GOOD, "id": "dog"}
    variants = [[GOOD, dog], [dog, GOOD], [GOOD, {**dog, "x": 1}], [GOOD, {**dog, "prompt": "b"}]]
    prints = {
        summarize_manifest(write_jsonl(tmp_path / f"{n}.jsonl", rows)).fingerprint
        for n, rows in enumerate(variants)
    }
    assert len(prints) == len(variants)
    assert list(parse_rows(str(tmp_path / "0.jsonl")))[1].id == "dog"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet", "groups.parquet"])
def test_the_summary_has_the_hash_of_the_file(tmp_path, name):
    rows = [
        {**GOOD, "id": f"cat {number}", "prompt": f"way {number}" * 40} for number in range(999)
    ]
    path = tmp_path / name
    if name.endswith(".parquet"):
        size = 100 if name.startswith("groups") else None
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=size)
    elif name.endswith(".csv"):
        lines = [",".join(GOOD), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines))
    else:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    summary = summarize_manifest(str(path))
    assert summary.num_rows == 999
    assert summary.file == hashlib.sha256(path.read_bytes()).hexdigest()
