"""Names that a command line offers for models and adapters; nothing heavy is imported for them."""

from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]
"""What networks compute in, as torch names it."""

TargetSet = Literal["attention", "linear", "all"]
"""Layers that an adapter is put on: those of attention, all linear ones, or all linear and
convolutional ones."""
