"""Prompts: English sentences that describe a doodle's subjects and motions, in varied wording."""

from collections.abc import Callable, Sequence

from flipsketch.doodles.actors import SIDE, Actor
from flipsketch.doodles.motions import ZOOMS
from flipsketch.doodles.strokes import Roll
from flipsketch.doodles.subjects.registry import SUBJECTS

# Verbs that double their last letter before -ing.
DOUBLING = set(
    "begin bob cut drop flap get hop jog nod plod pop run set shed shut snap snip spin swim throb "
    "travel trot wag".split()
)
PLURALS = {"its": "their", "it": "they", "itself": "themselves", "burns": "burn"}
THEIRS = {
    **{word: f"{word}s" for word in ("hand", "head", "mouth", "spring", "tail", "thread")},
    **{"body": "bodies", "box": "boxes"},
}
UNIQUE = "sun", "moon"
SIDES = {
    "left": ("to the left", "towards the left", "from right to left", "left"),
    "right": ("to the right", "towards the right", "from left to right", "right"),
}


def make_prompt(actors: Sequence[Actor], roll: Roll) -> str:
    """Return a sentence without a full stop: `a small bird is flying to the left`."""
    if len(actors) == 1:
        return say(actors[0], 1, True, roll)
    if actors[0].proportions == actors[1].proportions:
        return say(actors[0], 2, True, roll)
    first, second = (say(actor, 1, False, roll) for actor in actors)
    return first + roll.pick(" and ", ", and ", " while ", " as ") + second


def say(actor: Actor, count: int, is_alone: bool, roll: Roll) -> str:
    """Return a clause about one actor, or about two that do the same.

    Args:
        is_alone: it is the whole prompt, so that it may do without a finite verb.
    """
    subject, action = SUBJECTS[actor.subject], actor.action
    noun, plural = roll.pick(*subject.nouns).split("|")
    phrase = roll.pick(*action.phrases)
    wheres = SIDES.get(action.side, ("",))
    # `rolls left`, but not `rolls along left`.
    where = roll.pick(*(wheres[:-1] if action.side and " " in phrase else wheres))
    described = roll.pick("", *adjectives(actor)), noun if count == 1 else plural
    article, form = roll(0, 1), roll(0, 1)
    how = adverb(actor) if roll(0, 1) < 0.6 else ""

    named = " ".join(described).strip()
    if count == 2:
        named = f"the two {named}" if article < 0.2 else f"two {named}"
        phrase = plural_of(phrase)
    elif article < 0.3 or noun in UNIQUE:
        named = f"the {named}"
    else:
        named = (
            f"an {named}" if named[0] in "aeiou" and not named.startswith("ufo") else f"a {named}"
        )
    if form < 0.4:
        said = phrase if count == 2 else third_person(phrase)
    elif form < 0.75 or not is_alone:
        said = f"{'are' if count == 2 else 'is'} {gerund(phrase)}"
    else:
        said = gerund(phrase)
    return " ".join(word for word in (named, said, where, how) if word)


def adjectives(actor: Actor) -> list[str]:
    """Return adjectives that are true of the drawing."""
    build, (thinnest, thickest) = actor.proportions[0], SUBJECTS[actor.subject].builds
    words = [thinnest if build < 0.2 else thickest if build > 0.8 else ""]
    if actor.action.motion not in ZOOMS:
        share = actor.size / SIDE
        words += ["small", "little"] if share < 0.48 else []
        words += ["big", "large"] if share > 0.75 else []
    return [word for word in words if word]


def adverb(actor: Actor) -> str:
    if actor.action.motion != "stay" or actor.action.is_once:
        return ""
    slowest, fastest = actor.action.cycles
    pace = (actor.cycles - slowest) / (fastest - slowest)
    return "slowly" if pace < 0.25 else "quickly" if pace > 0.75 else ""


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


def plural_of(phrase: str) -> str:
    """Return the phrase for two subjects: `wag its tail` becomes `wag their tails`."""
    words = phrase.split(" ")
    said = []
    for before, word in zip(["", *words], words, strict=False):
        said.append(THEIRS.get(word, word) if before == "its" else PLURALS.get(word, word))
    return " ".join(said)
