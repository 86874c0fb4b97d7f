"""The published adapter is imported whole: every module, or a word about the first that differs."""

import pickle

import pytest
import torch
from diffusers import UNet3DConditionModel
from torch import nn

from flipsketch.models.lora import find_targets, load_lora, merge_lora
from flipsketch.models.published_lora import import_pairs, pair_shapes, read_pairs

RANK = 3


def modelscope_unet(**changes) -> UNet3DConditionModel:
    """ModelScope's blocks, layer for layer, a few channels wide."""
    return UNet3DConditionModel(
        **{
            "sample_size": 8,
            "block_out_channels": (4, 8, 16, 16),
            "norm_num_groups": 4,
            "attention_head_dim": 4,
            "cross_attention_dim": 8,
            **changes,
        }
    )


def published(unet: nn.Module, seed: int = 0) -> list[torch.Tensor]:
    """Random matrices in the published order and shapes."""
    random = torch.Generator().manual_seed(seed)
    matrices = []
    for module in unet.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
            out_size, in_size, *kernel = module.weight.shape
            matrices.append(torch.randn(out_size, RANK, *[1 for _ in kernel], generator=random))
            matrices.append(torch.randn(RANK, in_size, *kernel, generator=random))
    return matrices


def test_all_574_modules_get_exactly_up_times_down(tmp_path):
    unet = modelscope_unet().double()
    before = {name: module.weight.clone() for name, module in find_targets(unet, "all").items()}
    matrices = published(unet)
    assert len(matrices) == 2 * 574
    torch.save(matrices, tmp_path / "unet_lora.pt")
    with torch.device("meta"):
        blueprint = modelscope_unet()
    pairs = read_pairs(tmp_path / "unet_lora.pt")
    assert import_pairs(blueprint, pairs, tmp_path / "lora" / "unet") == RANK
    load_lora(unet, nn.Linear(1, 1), tmp_path / "lora")
    merge_lora(unet.double())
    after = find_targets(unet, "all")
    assert len(after) == 574
    for (name, module), up, down in zip(after.items(), matrices[::2], matrices[1::2], strict=True):
        product = up.flatten(1).double() @ down.flatten(1).double()
        expected = before[name] + product.reshape(module.weight.shape)
        torch.testing.assert_close(module.weight, expected, rtol=1e-12, atol=1e-12)


def test_the_first_module_that_does_not_fit_is_named(tmp_path):
    unet = modelscope_unet()
    names = list(find_targets(unet, "all"))
    matrices = published(unet)
    pairs = list(zip(matrices[::2], matrices[1::2], strict=True))
    with pytest.raises(ValueError, match="has 573 pairs of matrices, but the network has 574"):
        import_pairs(unet, pairs[:-1], tmp_path)
    swapped = [*pairs[:2], pairs[3], pairs[2], *pairs[4:]]
    assert pairs[2][0].shape != pairs[3][0].shape
    with pytest.raises(ValueError, match=rf"{names[2]}: its up matrix has the shape .* fits"):
        import_pairs(unet, swapped, tmp_path)
    pairs[5][1].view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match=f"{names[5]}: its down matrix has values"):
        import_pairs(unet, pairs, tmp_path)
    assert not list(tmp_path.iterdir())


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (torch.zeros(2), "expected a list of tensors .*, found a Tensor"),
        ([torch.zeros(2)], "has 1 tensors, but each module has two"),
        ([1, 2], "expected a list of tensors"),
        (Evil(), "nothing else is loaded"),
    ],
)
def test_files_of_another_kind_are_refused_and_not_executed(tmp_path, content, complaint, capsys):
    path = tmp_path / "lora.pt"
    if isinstance(content, Evil):
        path.write_bytes(pickle.dumps([content]))
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=complaint):
        read_pairs(path)
    assert "executed" not in capsys.readouterr().out


def test_nothing_advises_to_load_a_file_unsafely(tmp_path):
    path = tmp_path / "lora.pt"
    for content in (
        pickle.dumps([Evil()]),
        pickle.dumps(Evil),
        b"",
        b"\x80\x04junk",
        b"PK\x03\x04",
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError) as raised:
            read_pairs(path)
        assert "weights_only" not in str(raised.value) and "trust" not in str(raised.value)
        assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_a_view_larger_than_its_data_is_refused(tiny_model):
    targets = find_targets(tiny_model.unet, "all")
    pairs = [
        (torch.zeros(1).expand(pair_shapes(module, 4)[0]), torch.zeros(pair_shapes(module, 4)[1]))
        for module in targets.values()
    ]
    with pytest.raises(ValueError, match="its up matrix is larger than its data"):
        import_pairs(tiny_model.unet, pairs, "nowhere")
