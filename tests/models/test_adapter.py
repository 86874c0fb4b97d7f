"""What an adapter's files state is checked before any of it is used."""

import json
import os

import pytest

from flipsketch.models.adapter import CONFIG_FILE, WEIGHTS_FILE, check_fits, read_adapter
from flipsketch.models.inspection import inspect_network
from flipsketch.models.lora import drop_lora, layer_shapes, load_lora
from tests.helpers.adapters import edit_configs, edit_weights, pack, read_parts, write_adapter


@pytest.fixture(scope="module")
def lora(tiny_folder, tmp_path_factory):
    return write_adapter(tiny_folder, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def shapes(tiny_folder):
    return layer_shapes(inspect_network(tiny_folder / "unet", "diffusers", "UNet3DConditionModel"))


def test_its_files_may_be_read_by_whoever_may_read_here(tiny_folder, tmp_path):
    for umask in (0o022, 0o007):
        before = os.umask(umask)
        try:
            folder = write_adapter(tiny_folder, tmp_path / oct(umask))
        finally:
            os.umask(before)
        modes = {path.stat().st_mode & 0o777 for path in (folder / "unet").iterdir()}
        assert modes == {0o666 & ~umask}


@pytest.fixture
def place(tmp_path, lora):
    """A copy of the adapter's UNet, to be changed."""
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        (tmp_path / name).write_bytes((lora / "unet" / name).read_bytes())
    return tmp_path


def read_and_fit(place, shapes):
    adapter = read_adapter(place)
    check_fits(adapter, shapes, "the UNet")
    return adapter


def test_a_whole_adapter_says_what_it_is(place, shapes):
    adapter = read_and_fit(place, shapes)
    assert (adapter.rank, adapter.alpha, adapter.use_dora) == (2, 4.0, False)
    assert "transformer_in.transformer_blocks.0.attn1.to_q" in adapter.layers
    factors = adapter.layers["transformer_in.transformer_blocks.0.attn1.to_q"]
    assert factors.down[0] == factors.up[1] == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"r": 1_000_000}, "the rank 1000000, but its matrices .* have the rank 2"),
        ({"r": 0}, "r must be a whole number of at least 1, found 0"),
        ({"r": True}, "r must be a whole number of at least 1, found True"),
        ({"r": 10**400}, "the rank a number of 1329 bits, but"),
        ({"lora_alpha": float("nan")}, "lora_alpha must be a finite number"),
        ({"lora_alpha": 10**400}, "lora_alpha must be a finite number .* found a number of"),
        ({"lora_alpha": "4"}, "lora_alpha must be a finite number"),
        ({"target_modules": []}, "target_modules must be an expression, or a list"),
        ({"target_modules": ["nosuch"]}, "target_modules do not name the layer"),
        ({"target_modules": ["to_q", "to_k", "to_v", "to_out.0", "conv_in"]}, "no weights for 1 l"),
        ({"rank_pattern": {"(a+)+": 2}}, "rank_pattern must name layers"),
        ({"rank_pattern": {"to_q": 3}}, "the rank 3, but its matrices"),
        ({"alpha_pattern": {"to_q": float("inf")}}, "alpha_pattern of to_q must be a finite"),
        ({"use_dora": True}, "use_dora is True"),
        ({"use_rslora": "yes"}, "use_rslora must be true or false"),
        ({"modules_to_save": ["conv_in"]}, "modules_to_save must be off"),
        ({"bias": "all"}, "bias must be off"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights must not change"),
        ({"peft_type": "LOHA"}, "peft_type must be LORA, found 'LOHA'"),
        ({"peft_type": []}, "peft_type must be LORA"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(place, shapes, changes, said):
    config = json.loads((place / CONFIG_FILE).read_text())
    (place / CONFIG_FILE).write_text(json.dumps(config | changes))
    with pytest.raises(ValueError, match=said) as raised:
        read_and_fit(place, shapes)
    assert str(place) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda header, first: {}, "weights for 0 layers"),
        (lambda header, first: {first: header[first]}, "has no tensor .*lora_B.weight"),
        (lambda header, first: {"conv_in.weight": header[first]}, "none of a LoRA adapter"),
    ],
)
def test_tensors_that_make_no_adapter_are_named(place, lora, edit, said):
    _, header, weights = read_parts(lora)
    first = min(name for name in header if name != "__metadata__")
    edited, at = edit(header, first), 0
    for tensor in edited.values():
        length = tensor["data_offsets"][1] - tensor["data_offsets"][0]
        tensor["data_offsets"] = [at, at := at + length]
    (place / WEIGHTS_FILE).write_bytes(pack(json.dumps(edited).encode(), weights[:at]))
    with pytest.raises(ValueError, match=said):
        read_adapter(place)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda whole: b"", "is empty"),
        (lambda whole: whole[:-1], "damaged or cut short"),
        (lambda whole: whole[:100], "damaged or cut short"),
        (lambda whole: (2**60).to_bytes(8, "little") + whole[8:], "damaged or cut short"),
    ],
)
def test_weights_that_are_not_whole_are_named(place, content, said):
    path = place / WEIGHTS_FILE
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(ValueError, match=f"{WEIGHTS_FILE}: {said}"):
        read_adapter(place)


def test_layers_and_shapes_of_another_model_are_named(place, shapes):
    name = "transformer_in.transformer_blocks.0.attn1.to_q"
    with pytest.raises(ValueError, match="has the shape .*, where .* fits; give the adapter that"):
        read_and_fit(place, {**shapes, name: (7, 9)})
    others = {layer: shape for layer, shape in shapes.items() if layer != name}
    with pytest.raises(ValueError, match=f"does not fit the UNet, which has no layer {name}"):
        read_and_fit(place, others)


def test_an_expression_of_layers_is_never_run(place, shapes, tiny_model, tmp_path):
    config = json.loads((place / CONFIG_FILE).read_text())
    # Matched with a name of 40 letters, it would take longer than anyone lives.
    config["target_modules"] = r"([\w.]+)+!"
    (place / CONFIG_FILE).write_text(json.dumps(config))
    read_and_fit(place, shapes)
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "unet").symlink_to(place)
    load_lora(tiny_model.unet, tiny_model.text_encoder, tmp_path / "lora")
    assert any(".lora_" in name for name, _ in tiny_model.unet.named_parameters())


def test_whatever_is_done_to_an_adapter_ends_in_a_sentence(place, lora, tiny_model, tmp_path):
    config, header, weights = read_parts(lora)
    edits = [(CONFIG_FILE, text) for text in edit_configs(config, 60, seed=1)]
    edits += [(WEIGHTS_FILE, text) for text in edit_weights(header, weights, 40, seed=2)]
    whole = {name: (place / name).read_bytes() for name in (CONFIG_FILE, WEIGHTS_FILE)}
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "unet").symlink_to(place)
    endings = {"loaded": 0, "refused": 0}
    for name, content in edits:
        (place / name).write_bytes(content)
        try:
            load_lora(tiny_model.unet, tiny_model.text_encoder, tmp_path / "lora")
            drop_lora(tiny_model.unet)
            endings["loaded"] += 1
        except ValueError as error:
            assert "lora/unet/adapter_" in str(error) and len(str(error)) < 2_000
            assert str(error).isprintable()
            endings["refused"] += 1
        (place / name).write_bytes(whole[name])
    assert min(endings.values()) > 12, endings
