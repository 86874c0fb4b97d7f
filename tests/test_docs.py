"""The flags in docs/ are those of the command lines."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

from flipsketch.cli import parse

ROOT = Path(__file__).parents[1]
specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert specification and specification.loader
generate = importlib.util.module_from_spec(specification)
specification.loader.exec_module(generate)


@pytest.mark.parametrize("name", generate.JOBS)
def test_a_page_is_what_the_config_classes_say(name):
    assert generate.page_path(name).read_text() == generate.render(name), "run `make docs`"


@pytest.mark.parametrize("name", generate.JOBS)
def test_a_page_has_the_flags_that_the_command_line_has(name):
    description, config_class = generate.read_job(name)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit):
        parse(config_class, description, args=["--help"])
    # Flags begin a line, perhaps after the frame around them; two spaces end them.
    shown_flags = re.findall(r"^[^\w-]{0,3}(-.*?)(?:  |$)", shown.getvalue(), re.MULTILINE)
    listed_flags = [flag.usage for flag in generate.list_flags(config_class)]
    assert names_in(listed_flags) == names_in(shown_flags) - {"--help"}


def names_in(usages: list[str]) -> set[str]:
    """Return the long flags in some usages, without the forms that switch one off."""
    return {flag for usage in usages for flag in re.findall(r"--(?!no-)[a-z][a-z0-9-]*", usage)}
