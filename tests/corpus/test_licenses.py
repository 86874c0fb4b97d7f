"""Licenses by the names that people write, and what follows of several."""

import re
import tomllib
from pathlib import Path

import pytest

from flipsketch.corpus.licenses import (
    NOT_STATED,
    all_licenses,
    combine,
    resolve_license,
    stated_in_text,
)

TABLE = Path(__file__).parents[2] / "data" / "licenses.toml"
# Commercial use, training others, attribution, share-alike: as the texts of the licenses say.
FREE = ("yes", "yes", "no", "no")
CREDITED = ("yes", "yes", "yes", "no")
COPYLEFT = ("yes", "yes", "yes", "yes")
NONCOMMERCIAL = ("no", "yes", "yes", "no")
UNKNOWN = ("unknown",) * 4
RAIL = "CreativeML-OpenRAIL-M"
CARD = """---
license: cc-by-nc-4.0
---
- **Language(s):** English
- **License:**[ CC-BY-NC-ND](https://creativecommons.org/licenses/by-nc-nd/4.0/)
"""


@pytest.mark.parametrize(
    ("said", "name", "expected"),
    [
        ("mit", "MIT", CREDITED),
        ("The MIT License (MIT)", "MIT", CREDITED),
        ("https://opensource.org/licenses/MIT", "MIT", CREDITED),
        ("Apache License, Version 2.0", "Apache-2.0", CREDITED),
        ("apache-2.0", "Apache-2.0", CREDITED),
        ("cc0-1.0", "CC0-1.0", FREE),
        ("CC 0 1.0 Universal", "CC0-1.0", FREE),
        ("http://creativecommons.org/publicdomain/zero/1.0/deed.fr", "CC0-1.0", FREE),
        ("public domain", "Public domain", FREE),
        ("CC BY 4.0", "CC-BY-4.0", CREDITED),
        ("Creative Commons Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0", CREDITED),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported", "CC-BY-SA-3.0", COPYLEFT),
        ("CC-BY-3.0-US", "CC-BY-3.0", CREDITED),
        ("CreativeCommons BY4.0", "CC-BY-4.0", CREDITED),
        ("Public Domain (CC0)", "Public domain", FREE),
        ("apache2", "Apache-2.0", CREDITED),
        ("GPLv3", "GPL-3.0", COPYLEFT),
        ("gpl-2.0-or-later", "GPL-2.0", COPYLEFT),
        ("cc-by-nc-4.0", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("CC-BY-NC-ND", "CC-BY-NC-ND", ("no", "no", "yes", "no")),
        ("creativeml-openrail-m", "CreativeML-OpenRAIL-M", FREE),
        ("CreativeML Open RAIL++-M License", "OpenRAIL++", FREE),
        ("CC BY 4.0 (CC BY 4.0)", "CC-BY-4.0", CREDITED),
        ("Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0", CREDITED),
        ("CC-BY-4.0-NC", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("CC BY 4.0 - non-commercial", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("CC Attribution 4.0 NonCommercial", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("CC BY 4.0 (NC)", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("CC BY 4.0 ND", "CC-BY-ND-4.0", ("yes", "no", "yes", "no")),
        ("CC BY-NC 4.0 ND", "CC-BY-NC-ND-4.0", ("no", "no", "yes", "no")),
        ("CC BY 4.0 SA", "CC-BY-SA-4.0", COPYLEFT),
        ("CC-BY-3.0-IGO", "CC-BY-3.0", CREDITED),
        ("CC-BY-NC-ND-2.5 Scotland", "CC-BY-NC-ND-2.5", ("no", "no", "yes", "no")),
        ("CC-BY-SA-2.1-JP", "CC-BY-SA", COPYLEFT),
        ("creativecommons.org/licenses/by-nc/4.0", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("https://creativecommons.org/licenses/by/3.0/no/deed.no", "CC-BY-3.0", CREDITED),
        ("https://creativecommons.org/licenses/by/4.0/?ref=chooser-v1", "CC-BY-4.0", CREDITED),
        ("CC\u2011BY\u2011NC\u00a04.0", "CC-BY-NC-4.0", NONCOMMERCIAL),
        ("CC\u2013BY\u200b 4.0", "CC-BY-4.0", CREDITED),
        ("X11", "X11", CREDITED),
        (
            "stable-video-diffusion-community",
            "Stability AI Community",
            ("unknown", "no", "yes", "no"),
        ),
    ],
)
def test_a_license_is_known_by_its_names(said, name, expected):
    terms = resolve_license(said)
    assert (terms.name, terms.flags) == (name, expected)
    assert terms.source.startswith("https://")


@pytest.mark.parametrize(
    "said",
    [
        *("mine: all of it", "MIT-modified", "MIT (with changes)", "cc-by-4.0 but ask first"),
        *("cc-by-9.0", "other", "non-commercial", "x" * 5000, "commercial use, ask me", "NaN"),
        *("CC-BY-4.0-not", "CC-BY-4.0 no", "CC BY 3.0 but", "CC BY 3.0 no", "CC-BY-4.0-US"),
        *(
            "CC-BY-2.1",
            "CC BY US",
            "CC BY ND SA 4.0",
            "CC BY 4.0 for research only",
            "CC BY 3.0 4.0",
        ),
        *("not CC0", "CC0 no", "CC0-NC", "MIT-NC", "MIT (non-commercial)", "neither MIT nor CC0"),
        *(
            "Apache 2.0 non-commercial",
            "Apache 2.0 with Commons Clause",
            "GPL-3.0 no",
            "OpenRAIL NC",
        ),
        *(
            "Stability AI Community non-commercial",
            "https://creativecommons.org/licenses/by/4.0/nc",
        ),
        "GPL-3.0-or-later WITH Classpath-exception-2.0",
        "https://creativecommons.org/licenses/by/4.0/ non-commercial",
    ],
)
def test_a_license_that_only_resembles_a_known_one_is_unknown(said):
    terms = resolve_license(said)
    assert terms.flags == UNKNOWN and not terms.source
    assert resolve_license(terms.name).flags == UNKNOWN
    assert said.startswith(terms.name[:20]) and len(terms.name) <= 200


@pytest.mark.parametrize("said", [None, "", "  ", "unknown", "None", "NOASSERTION", "n/a", "N/A"])
def test_no_license_is_not_stated(said):
    assert resolve_license(said) == NOT_STATED and NOT_STATED.flags == UNKNOWN


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("mit, cc-by-nc-4.0", NONCOMMERCIAL),
        ('["mit", "cc-by-nc-4.0"]', NONCOMMERCIAL),
        ("MIT AND CC-BY-SA-4.0", COPYLEFT),
        ("MIT OR CC-BY-NC-4.0", CREDITED),
        ("CC-BY-NC-4.0 or a commercial license", NONCOMMERCIAL),
        # Within brackets an alternative counts for nothing.
        ("(CC0-1.0 OR CC-BY-NC-4.0) AND MIT", NONCOMMERCIAL),
        ("MIT OR CC0-1.0, CC-BY-NC-4.0", NONCOMMERCIAL),
        ("mit, https://creativecommons.org/licenses/by-nc/4.0/", NONCOMMERCIAL),
        ("Apache License, Version 2.0 or MIT", CREDITED),
        ("MIT OR LicenseRef-mine", CREDITED),
        ("MIT or not", ("unknown", "unknown", "yes", "unknown")),
        ("neither MIT or CC0", UNKNOWN),
        ("mit, mine", ("unknown", "unknown", "yes", "unknown")),
    ],
)
def test_all_of_several_licenses_hold_and_the_best_of_alternatives(said, expected):
    assert resolve_license(said).flags == expected


def test_what_is_made_of_several_parts_is_under_the_strictest_of_each():
    parts = {"model": "cc-by-nc-4.0", "sketch": "cc-by-sa-4.0", "adapter": "mine"}
    known = {name: resolve_license(parts[name]) for name in ("model", "sketch")}
    assert combine(known).flags == ("no", "yes", "yes", "yes")
    mixed = combine({name: resolve_license(said) for name, said in parts.items()})
    # Not even a no is made of what is unknown, nor is a no made unknown by it.
    assert mixed.flags == ("no", "unknown", "yes", "yes")
    assert mixed.name == "CC-BY-NC-4.0, CC-BY-SA-4.0, mine"
    assert combine({}).flags == UNKNOWN


def test_every_name_in_the_table_leads_to_its_own_entry():
    document = tomllib.loads(TABLE.read_text())
    assert len(document["license"]) >= 40
    for entry in document["license"]:
        versions = entry.get("versions", [])
        names = [entry["name"], *entry.get("also", []), *(f"{entry['name']}-{v}" for v in versions)]
        for name in names:
            terms = resolve_license(name)
            assert re.fullmatch(rf"{re.escape(entry['name'])}(-[\d.]+)?", terms.name), name
            assert dict(zip(entry["terms"], terms.flags, strict=True)) == entry["terms"]
            assert resolve_license(terms.source).is_known
    for model in document["model"]:
        assert all(resolve_license(name).is_known for name in model["licenses"])


def test_both_licenses_of_a_card_that_says_two_are_noted():
    both = "cc-by-nc-4.0, CC-BY-NC-ND-4.0"
    assert all_licenses("cc-by-nc-4.0", CARD, "") == both
    assert all_licenses("cc-by-nc-4.0", "", "damo-vilab/text-to-video-ms-1.7b") == both
    assert all_licenses("cc-by-nc-4.0", CARD, "damo-vilab/text-to-video-ms-1.7b") == both
    # Made of the same weights.
    merged = all_licenses("mit", "", "Hmrishav/t2v_sketch-lora")
    assert resolve_license(merged).commercial == "no"
    assert resolve_license(both).flags == ("no", "no", "yes", "no")


def test_what_is_said_once_stays_as_it_was_said():
    said = "mine, all of it"
    assert all_licenses(said, "License: another\n", "somebody/something") == said
    assert all_licenses("apache-2.0", "**License:** Apache 2.0\n", "") == "apache-2.0"
    assert all_licenses("unknown", "", "") == "unknown"
    assert all_licenses("unknown", "", "guoyww/animatediff-motion-adapter-v1-5-2") == "Apache-2.0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("license: mit\n", "MIT"),
        ("- **License:** [The CreativeML OpenRAIL M license](https://x.y) is an", RAIL),
        ("| License | Apache 2.0 |\n", "Apache-2.0"),
        ("## License\n\nThis project is licensed under MIT.\n", ""),
        ("License: another\n", ""),
        ("License: MIT (non-commercial)\n", "MIT (non-commercial)"),
        (
            "License: [CC BY-NC](https://creativecommons.org/licenses/by/4.0/)",
            "CC-BY-4.0, CC-BY-NC",
        ),
        ("License: [MIT](https://x.y), weights for research", "MIT, weights for research"),
    ],
)
def test_only_a_line_that_names_a_known_license_is_one(text, expected):
    assert stated_in_text(text) == expected


def test_the_address_of_a_license_counts_where_its_name_is_not_known():
    card = "---\nlicense: other\nlicense_name: {}\nlicense_link: {}\n---\n"
    address = "https://creativecommons.org/licenses/by-nc/4.0/"
    assert all_licenses("ours", card.format("ours", address), "") == "CC-BY-NC-4.0"
    assert all_licenses("mit", card.format("mit", address), "") == "mit"
    free = "https://opensource.org/license/mit"
    for name, link in (("ours", "LICENSE.md"), ("mit-non-commercial", free), ("not-mit", free)):
        assert resolve_license(all_licenses(name, card.format(name, link), "")).flags == UNKNOWN
