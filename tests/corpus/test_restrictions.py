"""People are told of each license that does not allow commercial use, or is not known to."""

from flipsketch.corpus.passport import join_licenses
from flipsketch.corpus.restrictions import describe_licenses, list_conflicts, list_restrictions


def test_what_is_free_is_not_warned_of():
    assert list_restrictions([("sketch", "cc-by-4.0"), ("model", "cc0-1.0")]) == []


def test_each_restriction_is_named_with_what_to_do():
    told = list_restrictions(
        [
            ("sketch", "unknown"),
            ("model", "cc-by-nc-4.0, CC-BY-NC-ND-4.0"),
            ("adapter", "my own terms"),
            # Of an adapter that was trained on clips whose license nobody has named.
            ("motion adapter", "apache-2.0, unknown"),
        ]
    )
    assert "the sketch is unknown, so nothing is known to be allowed; name it with --l" in told[0]
    assert told[1].startswith("the model is for non-commercial use only (cc-by-nc-4.0, CC-BY-NC-ND")
    assert "license of the adapter (my own terms) allows commercial use is not known" in told[2]
    assert "adapter (apache-2.0, unknown) allows commercial use is not known; read it" in told[3]


def test_a_corpus_of_many_licenses_takes_few_lines():
    many = [("sketch", f"terms {number} \x1b[31m" + "x" * 500) for number in range(100)]
    told = list_restrictions(many)
    assert len(told) == 9 and told[-1].startswith("92 other licenses do not allow commercial use")
    assert describe_licenses(many).endswith(" and 92 other licenses")
    assert all("\x1b" not in line and len(line) < 400 for line in told)


def test_licenses_that_hold_together_are_named_once():
    texts = ["CC0-1.0, Apache-2.0", "not stated, Apache-2.0", "mine, MIT", "MIT, yours", "CC0-1.0"]
    assert join_licenses(texts) == "CC0-1.0, Apache-2.0, not stated, mine, MIT, MIT, yours"
    # Whose name has a comma.
    apache = "Apache License, Version 2.0"
    assert join_licenses([apache, f"MIT, {apache}"]) == f"{apache}, MIT, {apache}"


def test_a_license_of_the_corpus_does_not_free_what_it_is_made_of():
    assert list_conflicts("cc0-1.0", [("sketch", "cc0-1.0"), ("model", "apache-2.0")]) == []
    assert list_conflicts("cc-by-sa-4.0", [("sketch", "CC BY-SA 3.0")]) == []
    assert list_conflicts("unknown", [("sketch", "cc-by-nc-4.0"), ("model", "unknown")]) == []
    (told,) = list_conflicts("CC0-1.0", [("model", "cc-by-nc-4.0")])
    assert told.startswith("the license of the corpus (CC0-1.0) allows commercial use, that of the")
    parts = [("sketch", "cc-by-nd-4.0"), ("scorer", "cc-by-nd-4.0")]
    for own in ("unknown", "cc0-1.0", "cc-by-nd-4.0"):
        (told,) = list_conflicts(own, parts)
        assert told.startswith("clips made of the sketch (CC-BY-ND-4.0) must not be shared")
    (told,) = list_conflicts("CC-BY-SA-4.0", [("sketch", "gpl-3.0")])
    assert "have to be shared under its license, and that of the corpus is CC-BY-SA-4.0" in told
    told = list_conflicts(
        "cc-by-sa-4.0", [("sketch", "cc-by-nc-sa-4.0"), ("model", "cc-by-sa-4.0")]
    )
    assert "no license satisfies all of CC-BY-NC-SA, CC-BY-SA" in told[-1]
    assert (
        len(list_conflicts("cc0-1.0", [("sketch", f"cc-by-nd-4.0, {n}") for n in range(99)])) == 9
    )
