import pytest
import torch

from flipsketch.models.deterministic import adding_in_order


def test_a_gpu_adds_in_order_in_here_only(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with pytest.raises(RuntimeError, match="midway"), adding_in_order(torch.device("cuda")):
        assert torch.are_deterministic_algorithms_enabled()
        raise RuntimeError("midway")
    assert not torch.are_deterministic_algorithms_enabled()
    with adding_in_order(torch.device("cpu")):
        assert not torch.are_deterministic_algorithms_enabled()
