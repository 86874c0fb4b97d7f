"""Prompts vary, and are English."""

import re

import pytest

from flipsketch.doodles.doodle import make_doodle
from flipsketch.doodles.prompts import gerund, plural_of, third_person


def test_prompts_vary_and_are_clean():
    prompts = [
        make_doodle(0, index, subject="bird", motion="fly-left").prompt for index in range(40)
    ]
    assert len(set(prompts)) >= 20
    for index in range(300):
        prompt = make_doodle(8, index).prompt
        assert re.fullmatch(r"[a-z][a-z ,-]*[a-z]", prompt) and "  " not in prompt
        assert not re.search(r"\ba [aeio]|\ban [^aeiou]", prompt), prompt


@pytest.mark.parametrize(
    "phrase, third, ing, plural",
    [
        ("fly", "flies", "flying", "fly"),
        ("swim along", "swims along", "swimming along", "swim along"),
        ("wag its tail", "wags its tail", "wagging its tail", "wag their tails"),
        ("open and close", "opens and closes", "opening and closing", "open and close"),
        ("die down", "dies down", "dying down", "die down"),
        ("go on and off", "goes on and off", "going on and off", "go on and off"),
        ("flash", "flashes", "flashing", "flash"),
        ("sway", "sways", "swaying", "sway"),
    ],
)
def test_verbs_are_inflected(phrase, third, ing, plural):
    assert (third_person(phrase), gerund(phrase), plural_of(phrase)) == (third, ing, plural)
