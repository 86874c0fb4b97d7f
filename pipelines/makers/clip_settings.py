"""What a run's plan says of the sampler and of the networks' kernels."""

from dataclasses import asdict
from typing import Any, Literal

from flipsketch.corpus.plan import Plan
from flipsketch.method.config import LATER_FIELDS, SamplingConfig


def sampling_settings(sampling: SamplingConfig, before: Plan | None) -> dict[str, Any]:
    """Return the plan's settings of the sampler; a plan from before some of them has those that it
    began with, unless they say something new."""
    usual = SamplingConfig()
    return {
        name: value
        for name, value in asdict(sampling).items()
        if before is None
        or name in before.settings
        or name not in LATER_FIELDS
        or value != getattr(usual, name)
    }


def choose_kernels(
    asked: Literal["fast", "plain"] | None, before: Plan | None, device: str
) -> dict[str, dict[str, Any]]:
    """Return the plan's setting of kernels; a plan from before there were any has none."""
    from flipsketch.models.kernels import FAST, PLAIN, default_kernels, read_kernels

    kernels = {"fast": FAST, "plain": PLAIN, None: default_kernels(device)}[asked]
    if before is not None and (asked is None or read_kernels(before.kernels) == kernels):
        return {} if before.kernels is None else {"kernels": before.kernels}
    return {"kernels": asdict(kernels)}
