"""Command lines from config classes: flags without prefixes, and a model's own defaults."""

import argparse
import os
import re
import sys
import traceback
from collections.abc import Container
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from typing import Any

import tyro
from tyro.conf import Positional

from flipsketch.method.config import SamplingConfig, model_defaults
from flipsketch.method.presets import PRESETS, Preset
from flipsketch.storage.credentials import refuse_credentials
from flipsketch.storage.errors import explain
from flipsketch.storage.text import describe_raised, is_text

# Without an adapter, as with none.
INTERRUPTED, CANNOT_BE_DONE = 130, 2  # exit codes
# By name: to import the libraries that raise them would take seconds.
NO_BUGS = {"MemoryError", "OutOfMemoryError", "ArrowException", "SafetensorError", "RayError"}
MAY_BE_EMPTY = {"lora"}
# Where a ~ is no more than that.
NO_PLACES = {"prompt", "negative_prompt", "ids"}
HOME = re.compile("~[^/]*(/|$)")


@dataclass(frozen=True, kw_only=True)
class PresetFlag:
    preset: Preset = "exact"
    """Settings of the sampler that you do not name: exact samples as published; fast takes fewer
    and cheaper steps, a fifth of the time on doodle, with no loss that its scores show; draft has
    no alignment either and takes a thirteenth, for a first look."""


def parse(config_class: type, description: str | None, **how: Any) -> Any:
    """Return what the command line says; how to sample, where it does not say, the preset and the
    model do.

    Raises:
        ValueError: a value cannot be used, or holds credentials, which nothing then repeats.
    """
    arguments = sys.argv[1:] if how.get("args") is None else how["args"]
    for argument in arguments:
        refuse_credentials(argument)
    how |= {"description": description, "config": (tyro.conf.OmitArgPrefixes,)}
    known = {part.name: part for part in fields(config_class)}
    if "sampling" not in known:
        return restore(config_class, tyro.cli(defaulted(config_class, []), **how))
    # Which model, before anything else is read: its defaults must be there to be checked with what
    # the command line says, and to be shown by --help.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--model", default=known["model"].default)
    first.add_argument("--preset", default="exact")
    known_first = first.parse_known_args(arguments)[0]
    model, preset = known_first.model, known_first.preset
    if preset not in PRESETS:
        preset = "exact"  # the parser below refuses it
    if model is MISSING:
        sampling = SamplingConfig(**PRESETS[preset])
    else:
        sampling = model_defaults(model, preset)
    changed = [("sampling", SamplingConfig, field(default=sampling))]
    parsed = tyro.cli(defaulted(config_class, changed, PresetFlag), **how)
    return restore(config_class, parsed)


def defaulted(config_class: type, changed: list[Any], *more: type) -> type:
    """Return a config class with other defaults for some fields and the fields of more classes,
    under the name by which errors are to speak of it."""
    named: Any = "the flags"
    return make_dataclass(named, changed, bases=(config_class, *more), frozen=True, kw_only=True)


def restore(config_class: type, parsed: Any) -> Any:
    """Return what was parsed as a config of its own class.

    Raises:
        ValueError: a place is empty, which would be taken for the folder that the job runs in, or
            is not the one that it looks like.
    """
    values = {part.name: getattr(parsed, part.name) for part in fields(config_class)}
    for name, value in values.items():
        if value == "" and name not in MAY_BE_EMPTY:
            raise ValueError(f"--{name.replace('_', '-')} is empty; give a value, or leave it out")
    positional = {part.name for part in fields(config_class) if part.type == Positional[str]}
    refuse_strange_texts(values, positional)
    return config_class(**values)


def refuse_strange_texts(values: dict[str, Any], positional: Container[str] = ()) -> None:
    """Raise ValueError for a text that no file of a run could hold, or a place that begins with the
    ~ that a shell leaves as it is after = and within quotes.

    Args:
        positional: names of values that are given without a flag.
    """
    for name, value in values.items():
        flag = name if name in positional else f"--{name.replace('_', '-')}"
        if is_dataclass(value):
            refuse_strange_texts(vars(value))
        for text in value if isinstance(value, tuple) else [value]:
            if not isinstance(text, str):
                continue
            if not is_text(text):
                raise ValueError(
                    f"{flag} {text!r}: is not text in UTF-8, and the files of a run could not name "
                    f"it; give another, or rename what it names"
                )
            if name not in NO_PLACES and HOME.match(text):
                raise ValueError(
                    f"{flag} {text}: begins with a ~ that the shell has left as it is, as it does "
                    f"after = and within quotes; give {os.path.expanduser(text)}, or ./{text} if "
                    f"that is its name"
                )


def report_error(error: BaseException) -> int:
    """Print why a command cannot be done, after the traceback if it is a bug; return the exit code.

    Never 1, which Python has for bugs: that is for rows that have failed.
    """
    if isinstance(error, ValueError | OSError):
        print(f"error: {explain(error)}", file=sys.stderr)
        return CANNOT_BE_DONE
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    if NO_BUGS.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        traceback.print_exception(error)
    print(f"error: {describe_raised(error)}", file=sys.stderr)
    return CANNOT_BE_DONE
