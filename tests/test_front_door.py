"""`import flipsketch` is light, and offers what a notebook needs."""

import subprocess
import sys

import pytest

import flipsketch
from flipsketch.method.sampler import animate
from flipsketch.svg.reader import rasterize_svg


def test_the_package_alone_imports_nothing_else():
    program = """
import sys, flipsketch
print([name for name in ("numpy", "pyarrow", "torch", "diffusers", "ray") if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_every_name_that_is_offered_can_be_imported():
    assert set(flipsketch.__all__) == set(flipsketch.MODULES) <= set(dir(flipsketch))
    for name in flipsketch.__all__:
        assert callable(getattr(flipsketch, name))
    assert flipsketch.animate is animate and flipsketch.rasterize_svg is rasterize_svg
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = flipsketch.nothing
