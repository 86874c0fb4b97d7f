"""Presets: settings of the sampler that go together, by what is to be had for the time.

Chosen from the table of benchmarks/frontier.py (benchmarks/RESULTS.md, "Quality against time").
"""

from typing import Any, Literal

Preset = Literal["exact", "fast", "draft"]

PRESETS: dict[Preset, dict[str, Any]] = {
    # The method as published.
    "exact": {},
    # No score is worse than exact's by two standard errors, at a fifth of the time.
    "fast": {
        "solver": "dpmpp_2m",
        "num_inference_steps": 12,
        "align_steps": None,
        "compose_steps": None,
        "align_updates": 3,
        "guidance_stop": 0.6,
        "cache_interval": 2,
    },
    # A thirteenth of the time, without alignment: to look at drawings and prompts.
    "draft": {
        "solver": "dpmpp_2m",
        "num_inference_steps": 8,
        "align_steps": 0,
        "compose_steps": None,
        "guidance_stop": 0.6,
        "cache_interval": 2,
    },
}
