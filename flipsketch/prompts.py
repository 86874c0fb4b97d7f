"""Prompts: English sentences that say what a subject does, in varied words."""

from collections.abc import Callable, Sequence

from flipsketch.strokes import Roll

# They double their last letter before -ing.
DOUBLING = set(
    "begin bob cut drop flap get hop jog nod plod pop run set shed shut snap snip spin swim throb "
    "travel trot wag".split()
)
UNIQUE = "sun", "moon"
SIDES = {
    "left": ("to the left", "towards the left", "from right to left", "left"),
    "right": ("to the right", "towards the right", "from left to right", "right"),
}


def say(
    noun: str,
    plural: str,
    phrase: str,
    side: str,
    adjectives: Sequence[str],
    adverb: str,
    count: int,
    is_alone: bool,
    roll: Roll,
) -> str:
    """Return a clause without a full stop: `a small bird is flying to the left`.

    Args:
        phrase: begins with a verb in its plain form.
        side: `left`, `right` or nothing.
        adjectives: true of the drawing; one of them or none is used.
        count: 1, or 2 that do the same.
        is_alone: no other clause follows or goes before, so that it needs no finite verb.
    """
    wheres = SIDES.get(side, ("",))
    # `rolls left`, but not `rolls along left`.
    where = roll.pick(*(wheres[:-1] if side and " " in phrase else wheres))
    adjective = roll.pick("", *adjectives)
    form, article, adverb_said = roll(0, 1), roll(0, 1), roll(0, 1) < 0.6
    described = " ".join(word for word in (adjective, noun if count == 1 else plural) if word)
    if count > 1:
        described = ("the two " if article < 0.2 else "two ") + described
    elif article < 0.3 or noun in UNIQUE:
        described = f"the {described}"
    else:
        described = (
            f"{'an' if described[0] in 'aeiou' and described[:3] != 'ufo' else 'a'} {described}"
        )
    many = count > 1
    if form < 0.4:
        said = plural_of(phrase) if many else third_person(phrase)
    elif form < 0.75 or not is_alone:
        said = f"{'are' if many else 'is'} {gerund(plural_of(phrase) if many else phrase)}"
    else:
        said = gerund(plural_of(phrase) if many else phrase)
    return " ".join(
        word for word in (described, said, where, adverb if adverb_said else "") if word
    )


def each_verb(phrase: str, inflect: Callable[[str], str]) -> str:
    """Inflect the first verb, and one that follows it after `and`."""
    words = phrase.split(" ")
    for place in range(len(words)):
        if place == 0 or (words[place - 1] == "and" and place == 2):
            words[place] = inflect(words[place])
    return " ".join(words)


def third_person(phrase: str) -> str:
    return each_verb(phrase, third_person_verb)


def third_person_verb(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "go", "do")) else "s")


def gerund(phrase: str) -> str:
    return each_verb(phrase, gerund_verb)


def gerund_verb(verb: str) -> str:
    if verb in DOUBLING:
        return f"{verb}{verb[-1]}ing"
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return f"{verb[:-1]}ing"
    return f"{verb}ing"


PLURALS = {"its": "their", "it": "they", "itself": "themselves", "burns": "burn"}
THEIRS = {
    **{word: f"{word}s" for word in ("hand", "head", "mouth", "spring", "tail", "thread")},
    **{"body": "bodies", "box": "boxes"},
}


def plural_of(phrase: str) -> str:
    """What two do: `wag its tail` -> `wag their tails`."""
    words = phrase.split(" ")
    said = []
    for before, word in zip(["", *words], words, strict=False):
        said.append(THEIRS.get(word, word) if before == "its" else PLURALS.get(word, word))
    return " ".join(said)


def join(first: str, second: str, roll: Roll) -> str:
    return first + roll.pick(" and ", ", and ", " while ", " as ") + second
