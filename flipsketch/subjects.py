"""All subjects: how each is drawn, what it can do, and the words for both."""

from flipsketch.deeds import Subject
from flipsketch.subjects_aircraft import AIRCRAFT
from flipsketch.subjects_crawlers import CRAWLERS
from flipsketch.subjects_fliers import FLIERS
from flipsketch.subjects_household import HOUSEHOLD
from flipsketch.subjects_people import PEOPLE
from flipsketch.subjects_pets import PETS
from flipsketch.subjects_plants import PLANTS
from flipsketch.subjects_sea import SEA
from flipsketch.subjects_ships import SHIPS
from flipsketch.subjects_toys import TOYS
from flipsketch.subjects_weather import WEATHER
from flipsketch.subjects_wheels import WHEELS

SUBJECTS: dict[str, Subject] = {
    **FLIERS,
    **SEA,
    **PETS,
    **CRAWLERS,
    **PEOPLE,
    **PLANTS,
    **WEATHER,
    **WHEELS,
    **SHIPS,
    **AIRCRAFT,
    **TOYS,
    **HOUSEHOLD,
}


def motions_of(subject: str) -> tuple[str, ...]:
    """Return the names of what a subject can do; ValueError if there is no such subject."""
    if subject not in SUBJECTS:
        raise ValueError(f"there is no subject {subject!r}; there are {', '.join(SUBJECTS)}")
    return tuple(SUBJECTS[subject].deeds)
