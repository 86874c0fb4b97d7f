"""Processes of one machine that train together know their ranks and can exchange tensors."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from pipelines.execution.local_ranks import train_together


def write_sum(folder: Path, rank: int, num_ranks: int) -> None:
    number = torch.tensor(10 + rank)
    if num_ranks > 1:
        dist.all_reduce(number)
    (folder / f"{rank} of {num_ranks}").write_text(str(int(number)))


@pytest.mark.parametrize("num_ranks, total", [(1, 10), (2, 21)])
def test_processes_train_together(tmp_path, num_ranks, total):
    train_together(num_ranks, write_sum, tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {f"{rank} of {num_ranks}": str(total) for rank in range(num_ranks)}
