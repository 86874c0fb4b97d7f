"""The licenses that rows name: how many have each, and which of them people are told of first."""

from collections import Counter
from collections.abc import Iterable

from flipsketch.corpus.licenses import USES, resolve_license
from flipsketch.corpus.restrictions import PartLicense
from flipsketch.corpus.row import Row

# Of texts that stand for a license of their own, in memory.
MOST_LICENSES = 1000
# Stands for those that are not counted by name.
OTHER_LICENSES = "others"
# Stands for the license of the corpus, of rows that name none.
OF_CORPUS = ""


def count_row(counts: Counter[str], row: Row) -> None:
    """Count the license that a row names, by its usual name."""
    name = resolve_license(row.license).name if row.license else OF_CORPUS
    is_full = len(counts) >= MOST_LICENSES and name not in counts
    # The restricted ones that the table knows are few, and are not to be missed.
    if is_full and (strictness(name) > 1 or len(counts) >= 2 * MOST_LICENSES):
        name = OTHER_LICENSES
    counts[name] += 1


def keep_strictest(counts: Counter[str], most: int) -> Counter[str]:
    """Return the counts of so many licenses, those that restrict most before the most frequent, and
    the sum of the others."""
    names = sorted(counts, key=lambda name: (strictness(name), -counts[name]))
    kept = Counter({name: counts[name] for name in names[:most]})
    if others := (counts - kept).total():
        kept[OTHER_LICENSES] += others
    return kept


def strictest_first(licenses: Iterable[PartLicense]) -> list[PartLicense]:
    """Return licenses in the order in which people are told of them, so that none that restricts
    is cut off behind free ones."""
    return sorted(licenses, key=lambda pair: strictness(pair[1]))


def strictness(license: str) -> int:
    """Return 0 of a license that is non-commercial, 1 of one by which no others may be trained, 2
    of one of which that is not known, and 3 of one that allows both."""
    terms = resolve_license(license)
    if terms.commercial == "no":
        return 0
    flags = {terms.of(use) for use in USES}
    return 1 if "no" in flags else 2 if "unknown" in flags else 3
