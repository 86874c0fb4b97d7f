"""What the licenses of a corpus come to: the terms of its parts in a table, and of the whole."""

from collections import Counter
from collections.abc import Iterable, Mapping

from flipsketch.corpus.licenses import Terms, combine_terms, resolve_license
from flipsketch.corpus.passport import plan_licenses
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.restrictions import PartLicense, list_conflicts
from flipsketch.corpus.shard import ShardFacts
from flipsketch.storage.text import one_line

# Those whose licenses differ from row to row.
OF_ROWS = ("sketch", "animation")
# In a table for people; the others are put together.
MOST_SHOWN = 20
HEADER = """| part | license | clips | commercial use | training other models | attribution \
| share-alike | source |
|---|---|---|---|---|---|---|---|
"""
SENTENCES = {
    "commercial": {
        "yes": "Commercial use is allowed.",
        "no": "Commercial use is not allowed.",
        "unknown": "Whether commercial use is allowed is unknown.",
    },
    "train_others": {
        "yes": "Other models may be trained on it.",
        "no": "Other models may not be trained on it.",
        "unknown": "Whether other models may be trained on it is unknown.",
    },
    "attribution": {
        "yes": "Whoever shares it names the sources.",
        "no": "",
        "unknown": "Whether the sources are to be named is unknown.",
    },
    "share_alike": {
        "yes": "It is shared under the same license.",
        "no": "",
        "unknown": "Whether it is to be shared under the same license is unknown.",
    },
}


def count_licenses(plan: Plan, shards: Iterable[ShardFacts]) -> Counter[PartLicense]:
    """Return the number of clips by part and license, as footers of shards and the plan have it."""
    shards = list(shards)
    num_clips = sum(facts.ok for facts in shards)
    found = Counter[PartLicense]()
    for part, license in plan_licenses(plan).items():
        own = Counter[str]()
        for facts in shards if part in OF_ROWS else ():
            own += facts.row_licenses
        # The others name none: that of the corpus holds for them. Footers may know it by its usual
        # name.
        usual = resolve_license(license).name
        own[usual if usual in own else license] += num_clips - own.total()
        found += Counter({(part, name): number for name, number in own.items()})
    return found


def draw_terms(licenses: Mapping[PartLicense, int], own: str) -> str:
    """Return a Markdown table of the terms of each part's licenses, and what follows of all.

    Args:
        licenses: number of clips by part and license.
        own: license of the corpus.
    """
    terms: dict[tuple[str, Terms], int] = Counter()
    for (part, license), number in licenses.items():
        terms[part, resolve_license(license)] += number
    order = list(dict.fromkeys(part for part, _ in licenses))
    rows = sorted(terms.items(), key=lambda row: (order.index(row[0][0]), -row[1], row[0][1].name))
    lines = [draw_row(part, each, f"{number:,}") for (part, each), number in rows[:MOST_SHOWN]]
    if more := rows[MOST_SHOWN:]:
        rest = combine_terms(each for (_, each), _ in more)
        others = Terms(f"{len(more)} others", *rest.flags)
        lines.append(draw_row("others", others, f"{sum(number for _, number in more):,}"))
    whole = combine_terms(each for _, each in terms)
    lines.append(draw_row("all together", Terms("", *whole.flags), ""))
    conflicts = "".join(
        f"\n\n{text[:1].upper()}{text[1:]}." for text in list_conflicts(own, licenses)
    )
    return f"{HEADER}{''.join(lines)}\n{describe_whole(whole, terms)}{conflicts}"


def sum_up(licenses: Iterable[PartLicense]) -> str:
    """Return what clips of these licenses may be used for, and what this asks for, in a line."""
    whole = combine_terms(resolve_license(license) for _, license in licenses)
    names = ("commercial use", "training other models", "attribution", "share-alike")
    return ", ".join(f"{name}: {flag}" for name, flag in zip(names, whole.flags, strict=True))


def describe_whole(whole: Terms, parts: Iterable[tuple[str, Terms]]) -> str:
    said = [SENTENCES[name][getattr(whole, name)] for name in SENTENCES]
    notes = dict.fromkeys(f"{each.name}: {each.note}" for _, each in parts if each.note)
    lines = [
        f"All together: {' '.join(filter(None, said))}",
        "What no license says is unknown, which is never taken for allowed; the table is a reading "
        "of the licenses, and no legal advice.",
        *notes,
    ]
    return "\n\n".join(lines)


def draw_row(part: str, terms: Terms, clips: str) -> str:
    sources = " ".join(f"[text]({source})" for source in terms.source.split())
    cells = [part, terms.name, clips, *terms.flags, sources]
    # A bar of its own would end a cell.
    return f"| {' | '.join(one_line(cell).replace('|', '/') for cell in cells)} |\n"
