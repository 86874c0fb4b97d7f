"""The published adapter is imported whole: every module, or a word about the first that differs."""

import pickle

import pytest
import torch
from torch import nn

from flipsketch.models.lora import find_targets, load_lora, merge_lora
from flipsketch.models.lora_layers import fit_layers, write_layers
from flipsketch.models.published_lora import name_pairs, read_pairs
from tests.helpers.pickled import Evil
from tests.helpers.published import modelscope_unet, published_matrices


def test_all_574_modules_get_exactly_up_times_down(tmp_path):
    """Also where the rank is more than a layer has: the first convolution has 4 channels."""
    rank = 8
    unet = modelscope_unet().double()
    before = {name: module.weight.clone() for name, module in find_targets(unet, "all").items()}
    matrices = published_matrices(unet, rank=rank)
    assert len(matrices) == 2 * 574
    torch.save(matrices, tmp_path / "unet_lora.pt")
    with torch.device("meta"):
        blueprint = modelscope_unet()
    layers = name_pairs(read_pairs(tmp_path / "unet_lora.pt"), blueprint, "all")
    layers = fit_layers(layers, blueprint)
    assert write_layers(layers, blueprint, tmp_path / "lora" / "unet") == rank
    load_lora(unet, nn.Linear(1, 1), tmp_path / "lora")
    merge_lora(unet.double())
    after = find_targets(unet, "all")
    assert len(after) == 574
    for (name, module), up, down in zip(after.items(), matrices[::2], matrices[1::2], strict=True):
        product = up.flatten(1).double() @ down.flatten(1).double()
        expected = before[name] + product.reshape(module.weight.shape)
        torch.testing.assert_close(module.weight, expected, rtol=1e-12, atol=1e-12)


def test_the_first_module_that_does_not_fit_is_named():
    unet = modelscope_unet()
    names = list(find_targets(unet, "all"))
    matrices = published_matrices(unet)
    pairs = list(zip(matrices[::2], matrices[1::2], strict=True))

    def read(pairs):
        fit_layers(name_pairs(pairs, unet, "all"), unet)

    with pytest.raises(ValueError, match="has 573 pairs of matrices, but the network has 574"):
        read(pairs[:-1])
    swapped = [*pairs[:2], pairs[3], pairs[2], *pairs[4:]]
    assert pairs[2][0].shape != pairs[3][0].shape
    with pytest.raises(ValueError, match=rf"{names[2]}: its up matrix has the shape .* fits"):
        read(swapped)
    pairs[5][1].view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match=f"{names[5]}: its down matrix has values"):
        read(pairs)


def test_a_pair_of_another_rank_is_named():
    unet = modelscope_unet()
    names = list(find_targets(unet, "all"))
    matrices = published_matrices(unet)
    other = published_matrices(unet, rank=2)
    mixed = [*matrices[:8], *other[8:10], *matrices[10:]]
    pairs = list(zip(mixed[::2], mixed[1::2], strict=True))
    with pytest.raises(ValueError, match=f"{names[4]}: its down matrix has the rank 2, where 3 f"):
        name_pairs(pairs, unet, "all")
    torn = [*matrices[:8], matrices[8], other[9], *matrices[10:]]
    torn_pairs = list(zip(torn[::2], torn[1::2], strict=True))
    with pytest.raises(ValueError, match=f"{names[4]}: its down matrix has the rank 2"):
        name_pairs(torn_pairs, unet, "all")


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
    matrices = published_matrices(tiny_model.unet)
    pairs = list(zip(matrices[::2], matrices[1::2], strict=True))
    pairs[0] = (torch.zeros(1).expand(pairs[0][0].shape), pairs[0][1])
    with pytest.raises(ValueError, match="its up matrix is larger than its data"):
        fit_layers(name_pairs(pairs, tiny_model.unet, "all"), tiny_model.unet)
