import pytest

from flipsketch.corpus.reasons import FailedRow, group_failures, reason_of


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (
            [
                "sketches/a.svg: the SVG embeds only text; convert text to paths",
                "my drawings/b 2.svg: the SVG embeds only text; convert text to paths",
                "s3://bucket/c.svg: the SVG embeds only text; convert text to paths",
                "c.svg: the SVG embeds only text; convert text to paths",
                "the SVG embeds only text; convert text to paths",
            ],
            "the SVG embeds only text; convert text to paths",
        ),
        (
            [
                "a.svg: the SVG's stroke is 'hsla(120, 50%)'; use #rrggbb, or a name",
                "a.svg: the SVG's stroke is \"it's red\"; use #rrggbb, or a name",
                "a.svg: the SVG's stroke is 'no\\'w; \"1'; use #rrggbb, or a name",
                "a.svg: the SVG's stroke is 'cut short, by its len; use #rrggbb, or a name",
            ],
            "the SVG's stroke is '...'; use #rrggbb, or a name",
        ),
        (
            [
                "a.png: the image has 5712 x 4284 pixels, the limit is 16,777,216 in all",
                "a.png: the image has 99999x5 pixels, the limit is 1 in all",
            ],
            "the image has N x N pixels, the limit is N in all",
        ),
        (
            [
                "row 3: id must be a string in UTF-8, found 3.5",
                "row 4: id must be a string in UTF-8, found -1e9",
            ],
            "id must be a string in UTF-8, found N",
        ),
        (
            [
                "a.png: cannot be decoded (<_io.BytesIO object at 0x7f00aa>), see /tmp/x/1.png",
                "a.png: cannot be decoded (<Image id=3>), see file:///data/2.png",
            ],
            "cannot be decoded (<...>), see '...'",
        ),
        (["KeyError: 'a'", "KeyError: 'b'"], "KeyError: '...'"),
    ],
)
def test_a_reason_is_without_path_content_and_figures(errors, reason):
    assert {reason_of(error) for error in errors} == {reason}


def test_elements_and_names_with_figures_stay_apart():
    assert reason_of("the SVG has a <text> element") != reason_of("the SVG has an <image> element")
    kept = "a 16-bit PNG in UTF-16 of float32 and #112233; run jobs/status.py --verify"
    assert reason_of(kept) == kept


def test_a_known_file_is_no_part_of_the_reason_whatever_its_name():
    for name in ("cat", "a: b", "my cat", "x: the SVG 5"):
        assert reason_of(f"{name}: is empty", source=name) == "is empty"


def test_groups_are_counted_and_the_most_frequent_comes_first():
    few = FailedRow(2, "cat", None, "the sketch is blank")
    many = [
        FailedRow(
            n, f"id{n}", f"d/{n}.png", f"d/{n}.png: has {n} pixels, the limit is 5,000; shrink"
        )
        for n in (7, 8, 9)
    ]
    first, second = group_failures([few, *many])
    assert str(first) == "3 rows: has N pixels, the limit is 5,000; shrink; e.g. row 7 d/7.png"
    assert str(second) == "1 row: the sketch is blank; row 2 cat"
    assert first.to_json() == {
        "reason": "has N pixels, the limit is N; shrink",
        "rows": 3,
        "row": 7,
        "id": "id7",
        "sketch": "d/7.png",
        "error": "d/7.png: has 7 pixels, the limit is 5,000; shrink",
    }


def test_the_example_is_the_first_row_of_its_group():
    rows = [FailedRow(n, f"id{n}", None, "is blank") for n in (4, 9)]
    assert [str(group) for group in group_failures(rows)] == ["2 rows: is blank; e.g. row 4 id4"]


def test_the_reason_of_one_row_is_its_own_sentence():
    said = "the SVG's stroke is 'hsla(120, 50%)'; use #rrggbb, or a name"
    one = FailedRow(1, "a", "a.svg", f"a.svg: {said}")
    assert str(group_failures([one])[0]) == f"1 row: {said}; row 1 a.svg"
    long = FailedRow(1, "a", "a.svg", f"a.svg: the name is '{'x' * 5000}'; shorten it")
    assert str(group_failures([long])[0]).count("x") <= 200
