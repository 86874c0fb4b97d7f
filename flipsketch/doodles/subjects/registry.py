"""All subjects: how each is drawn, what it can do, and the words for both.

Their order is part of what a seed draws, so a new subject changes every doodle.
"""

from flipsketch.doodles.subject import Subject
from flipsketch.doodles.subjects.aircraft import AIRCRAFT
from flipsketch.doodles.subjects.crawlers import CRAWLERS
from flipsketch.doodles.subjects.desk import DESK
from flipsketch.doodles.subjects.figures import FIGURES
from flipsketch.doodles.subjects.fliers import FLIERS
from flipsketch.doodles.subjects.household import HOUSEHOLD
from flipsketch.doodles.subjects.people import PEOPLE
from flipsketch.doodles.subjects.pets import PETS
from flipsketch.doodles.subjects.plants import PLANTS
from flipsketch.doodles.subjects.sea import SEA
from flipsketch.doodles.subjects.ships import SHIPS
from flipsketch.doodles.subjects.toys import TOYS
from flipsketch.doodles.subjects.weather import WEATHER
from flipsketch.doodles.subjects.wheels import WHEELS

SUBJECTS: dict[str, Subject] = {
    **FLIERS,
    **SEA,
    **PETS,
    **CRAWLERS,
    **PEOPLE,
    **FIGURES,
    **PLANTS,
    **WEATHER,
    **WHEELS,
    **SHIPS,
    **AIRCRAFT,
    **TOYS,
    **HOUSEHOLD,
    **DESK,
}


def motions_of(subject: str) -> tuple[str, ...]:
    """Return the names of what a subject can do; ValueError if there is no such subject."""
    if subject not in SUBJECTS:
        raise ValueError(f"there is no subject {subject!r}; there are {', '.join(SUBJECTS)}")
    return tuple(SUBJECTS[subject].actions)
