"""Command lines from config classes: flags without prefixes, and a model's own defaults."""

import argparse
import sys
from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any

import tyro

from flipsketch.method.config import SamplingConfig, model_defaults


def parse(config_class: type, description: str | None, **how: Any) -> Any:
    """Return what the command line says; how to sample, where it does not say, the model does.

    Raises:
        ValueError: a value cannot be used.
    """
    how |= {"description": description, "config": (tyro.conf.OmitArgPrefixes,)}
    known = {part.name: part for part in fields(config_class)}
    if "sampling" not in known:
        return tyro.cli(config_class, **how)
    # Which model, before anything else is read: its defaults must be there to be checked with what
    # the command line says, and to be shown by --help.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--model", default=known["model"].default)
    arguments = sys.argv[1:] if how.get("args") is None else how["args"]
    model = first.parse_known_args(arguments)[0].model
    sampling = SamplingConfig() if model is MISSING else model_defaults(model)
    defaulted = make_dataclass(
        config_class.__name__,
        [("sampling", SamplingConfig, field(default=sampling))],
        bases=(config_class,),
        frozen=True,
        kw_only=True,
    )
    config = tyro.cli(defaulted, **how)
    return config_class(**{name: getattr(config, name) for name in known})
