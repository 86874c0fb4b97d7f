from pathlib import Path

import numpy as np
import pytest

from flipsketch.livesketch.vector import read_vector

ROOT = Path(__file__).resolve().parents[2]
SKETCH = read_vector(
    b'<svg viewBox="0 0 9 9"><path d="M1 1L7 1" fill="none" stroke="black"/></svg>'
)


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import livesketch

    return livesketch


@pytest.mark.parametrize(
    ("prompt", "way"),
    [
        ("a bird is flapping its way from right to left", (-1, 0)),
        ("a car drives from left to right", (1, 0)),
        ("a bird flies up to the right", (1, 0)),
        ("a hot-air balloon rises", (0, -1)),
        ("the ball is dropping", (0, 1)),
        ("a person jumping up and down", None),
        ("a flower sways from side to side", None),
    ],
)
def test_the_way_that_a_prompt_names(benchmark, prompt, way):
    assert benchmark.named_way(prompt) == way


def test_stretch_and_jerk(benchmark):
    still = np.stack([SKETCH.points] * 6)
    assert benchmark.stretch(SKETCH, still) == benchmark.jerk(still) == 0
    # A steady pace has no third difference, and a line of twice the length is stretched by 1.
    times = np.arange(6)[:, None, None]
    assert benchmark.jerk(still + 0.1 * times) < 1e-12
    assert benchmark.jerk(still + 0.1 * times**3) == pytest.approx(0.6 * 2**0.5)
    doubled = np.concatenate([still[:1], 2 * still[1:]])
    assert benchmark.stretch(SKETCH, doubled) == pytest.approx(1)


def test_the_settings_can_be_read(benchmark):
    settings = list(benchmark.read_settings(ROOT / "benchmarks" / "livesketch.toml"))
    assert len({setting.name for setting in settings}) == len(settings)
    for setting in settings:
        if setting.method == "livesketch":
            benchmark.LiveSketchConfig(**setting.options)
