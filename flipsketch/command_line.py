"""Command lines from config classes: flags without prefixes, and a model's own defaults."""

from dataclasses import replace
from typing import Any

import tyro

from flipsketch.sampling import model_defaults


def parse(config_class: type, description: str | None, **how: Any) -> Any:
    """Return what the command line says; how to sample, where it does not say, the model does.

    Raises:
        ValueError: a value cannot be.
    """
    how |= {"description": description, "config": (tyro.conf.OmitArgPrefixes,)}
    config: Any = tyro.cli(config_class, **how)
    if hasattr(config, "sampling"):
        default = replace(config, sampling=model_defaults(config.model))
        config = tyro.cli(config_class, default=default, **how)
    return config
