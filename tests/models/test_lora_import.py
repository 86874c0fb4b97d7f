"""Adapters in the formats that people have add to each layer what they state, or are refused."""

import json
import logging

import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from flipsketch.models.cards import model_licence, read_statements
from flipsketch.models.lora import add_lora, lora_parameters, save_lora
from flipsketch.models.lora_import import import_lora
from flipsketch.models.video_model import load_model
from tests.helpers.published import published_matrices

RANK, ALPHA = 2, 6.0
PARTS = ("unet", "text_encoder")


@pytest.fixture(scope="module")
def base(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture(scope="module")
def trained(tiny_folder):
    """A model with adapters of all layers that are not zero, not merged."""
    model = load_model(tiny_folder)
    random = torch.Generator().manual_seed(0)
    for network, target_set in ((model.unet, "all"), (model.text_encoder, "linear")):
        add_lora(network, target_set, rank=RANK, alpha=ALPHA)
        for parameter in lora_parameters(network):
            parameter.data = torch.randn(parameter.shape, generator=random)
    return model


@pytest.fixture(scope="module")
def matrices(trained):
    """Of each part's layers, by name: down and up."""
    found = {}
    for part in PARTS:
        weights = get_peft_model_state_dict(getattr(trained, part))
        names = {name.partition(".lora_")[0] for name in weights}
        found[part] = {
            name: (weights[f"{name}.lora_A.weight"], weights[f"{name}.lora_B.weight"])
            for name in names
        }
    return found


def check(folder, matrices, scale):
    """An imported adapter has the matrices of all these layers at a scale, and nothing else."""
    for part, own in matrices.items():
        weights = load_file(folder / part / "adapter_model.safetensors")
        assert len(weights) == 2 * len(own)
        for name, (down, up) in own.items():
            assert torch.equal(weights[f"{name}.lora_A.weight"], down)
            assert torch.equal(weights[f"{name}.lora_B.weight"], up)
        settings = json.loads((folder / part / "adapter_config.json").read_text())
        assert settings["lora_alpha"] / settings["r"] == scale
        assert not settings["rank_pattern"] and not settings["alpha_pattern"]


def check_weights(own, base, matrices, scale):
    """All layers of a network are the base's, these with scale * up @ down added."""
    for name, module in own.named_modules():
        if getattr(module, "weight", None) is not None:
            expected = base.get_submodule(name).weight
            if name in matrices:
                down, up = matrices[name]
                product = (up.flatten(1) @ down.flatten(1)).reshape(expected.shape)
                expected = expected + scale * product
            torch.testing.assert_close(module.weight, expected, rtol=1e-5, atol=1e-5)


def kohya(matrices, alpha=ALPHA):
    """The names of kohya's scripts; convolutions over single pixels as they were trained."""
    tensors = {}
    for part, prefix in (("unet", "lora_unet_"), ("text_encoder", "lora_te_text_model_")):
        for name, (down, up) in matrices.get(part, {}).items():
            key = prefix + name.removeprefix("text_model.").replace(".", "_")
            tensors[f"{key}.lora_down.weight"] = down.contiguous()
            tensors[f"{key}.lora_up.weight"] = up.contiguous()
            tensors[f"{key}.alpha"] = torch.tensor(alpha)
    return tensors


def write_kohya(trained, matrices, folder):
    save_file(kohya(matrices), folder / "cat.safetensors")
    return folder / "cat.safetensors"


def write_diffusers(trained, matrices, folder):
    """By diffusers' own writer, with the settings that it keeps in the header."""
    state = {
        part: {
            f"{'text_model.' if part == 'text_encoder' else ''}{name}.lora_{letter}.weight": each
            for name, pair in matrices[part].items()
            for letter, each in zip("AB", pair, strict=True)
        }
        for part in PARTS
    }
    settings = {"r": RANK, "lora_alpha": ALPHA, "target_modules": ["to_q"], "peft_type": "LORA"}
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=state["unet"],
        text_encoder_lora_layers=state["text_encoder"],
        unet_lora_adapter_metadata=settings,
        text_encoder_lora_adapter_metadata=settings,
    )
    assert (folder / "pytorch_lora_weights.safetensors").is_file()
    return folder


def write_peft(trained, matrices, folder):
    """As `PeftModel.save_pretrained` names tensors, one part pickled."""
    save_lora({part: getattr(trained, part) for part in PARTS}, folder)
    for part in PARTS:
        path = folder / part / "adapter_model.safetensors"
        wrapped = {f"base_model.model.{name}": each for name, each in load_file(path).items()}
        save_file(wrapped, path)
        if part == "unet":
            torch.save(wrapped, path.with_suffix(".bin"))
            path.unlink()
    return folder


@pytest.mark.parametrize("write", [write_kohya, write_diffusers, write_peft])
def test_every_layer_gets_its_matrices_at_their_scale(
    tiny_folder, base, trained, matrices, tmp_path, write
):
    (tmp_path / "given").mkdir()
    place = write(trained, matrices, tmp_path / "given")
    (tmp_path / "given" / "README.md").write_text("---\nlicense: openrail\n---\nCats.\n")
    import_lora(str(tiny_folder), {"": str(place)}, str(tmp_path / "lora"))
    check(tmp_path / "lora", matrices, ALPHA / RANK)
    assert model_licence(tmp_path / "lora") == "openrail"
    if write is write_kohya:
        imported = load_model(tiny_folder, lora=tmp_path / "lora")
        for part in PARTS:
            own = getattr(imported, part), getattr(base, part)
            check_weights(*own, matrices[part], ALPHA / RANK)


def test_settings_of_layers_are_found_under_any_name_of_theirs(tiny_folder, matrices, tmp_path):
    """Peft's names within diffusers', and a text encoder's that have text_model in front."""
    layer, text = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "encoder.layers.0."
    names = {"unet": layer, "text_encoder": f"{text}self_attn.q_proj"}
    above = {"unet": "unet.base_model.model.", "text_encoder": "text_encoder.text_model."}
    tensors, settings, used = {}, {}, {}
    for part, name in names.items():
        own = f"text_model.{name}" if part == "text_encoder" else name
        used[part] = {name: matrices[part][name]}
        for letter, each in zip("AB", used[part][name], strict=True):
            tensors[f"{above[part]}{name}.lora_{letter}.weight"] = each.contiguous()
        stated = {"r": 4, "lora_alpha": 4, "target_modules": ["q"], "peft_type": "LORA"}
        stated |= {"rank_pattern": {own: RANK}, "alpha_pattern": {own: ALPHA}}
        settings |= {f"{part}.{key}": value for key, value in stated.items()}
    path = tmp_path / "cat.safetensors"
    save_file(tensors, path, metadata={"lora_adapter_metadata": json.dumps(settings)})
    import_lora(str(tiny_folder), {"": str(path)}, str(tmp_path / "lora"))
    check(tmp_path / "lora", used, ALPHA / RANK)


def test_early_names_of_diffusers_are_read_at_scale_one(tiny_folder, matrices, tmp_path):
    """Of attention processors, and without the number of the output's linear layer."""
    tensors, used = {}, {"unet": {}}
    for name, (down, up) in matrices["unet"].items():
        above, _, own = name.rpartition(".")
        if name.endswith(("to_q", "to_out.0")) and ".attn" in name:
            above, own = (above[: -len(".to_out")], "to_out") if own == "0" else (above, own)
            tensors[f"unet.{above}.processor.{own}_lora.down.weight"] = down.contiguous()
            tensors[f"unet.{above}.processor.{own}_lora.up.weight"] = up.contiguous()
            used["unet"][name] = (down, up)
    torch.save(tensors, tmp_path / "pytorch_lora_weights.bin")
    import_lora(str(tiny_folder), {"unet": str(tmp_path)}, str(tmp_path / "lora"))
    check(tmp_path / "lora", used, 1.0)


def test_motion_loras_of_animatediff_are_read(tiny_motion_folder, tmp_path):
    """By its authors' names, which diffusers' modules do not have, in a checkpoint of training."""
    base = load_model(tiny_motion_folder).unet
    random = torch.Generator().manual_seed(0)
    tensors, used = {}, {}
    for name, module in base.named_modules():
        if ".motion_modules." in name and name.endswith((".to_q", ".to_out.0")):
            out_size, in_size = module.weight.shape
            down = torch.randn(RANK, in_size, generator=random)
            up = torch.randn(out_size, RANK, generator=random)
            theirs = name.replace(".transformer_", ".temporal_transformer.transformer_")
            theirs = theirs.replace(".attn1", ".attention_blocks.0.processor")
            theirs = theirs.replace(".attn2", ".attention_blocks.1.processor")
            key = f"module.{theirs.removesuffix('.0')}_lora"
            tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
            used[name] = (down, up)
    assert any("attention_blocks.1.processor.to_out_lora" in name for name in tensors)
    torch.save({"state_dict": tensors, "epoch": 2}, tmp_path / "v2_lora_PanLeft.ckpt")
    place = {"": str(tmp_path / "v2_lora_PanLeft.ckpt")}
    import_lora(str(tiny_motion_folder), place, str(tmp_path / "lora"))
    imported = load_model(tiny_motion_folder, lora=tmp_path / "lora").unet
    check_weights(imported, base, used, 1.0)


def test_ranks_and_alphas_may_differ_from_layer_to_layer(tiny_folder, base, matrices, tmp_path):
    """A convolution of LyCORIS in three pieces among them."""
    names = sorted(name for name in matrices["unet"] if name.endswith(("to_q", "conv1")))
    down, up = matrices["unet"][names[0]]
    linear = next(name for name in names if name.endswith("attn1.to_q"))
    conv = next(name for name in names if name.endswith("resnets.0.conv1"))
    tensors = kohya({"unet": {name: matrices["unet"][name] for name in names}})
    key = "lora_unet_" + linear.replace(".", "_")
    down, up = matrices["unet"][linear]
    tensors[f"{key}.lora_down.weight"] = torch.cat([down, down])
    tensors[f"{key}.lora_up.weight"] = torch.cat([up, up], 1)
    tensors[f"{key}.alpha"] = torch.tensor(2.0)
    key = "lora_unet_" + conv.replace(".", "_")
    random = torch.Generator().manual_seed(1)
    full, out = matrices["unet"][conv]
    mid = torch.randn(RANK, 3, 3, 3, generator=random)
    thin = torch.randn(3, full.shape[1], 1, 1, generator=random)
    tensors |= {f"{key}.lora_mid.weight": mid, f"{key}.lora_down.weight": thin}
    save_file(tensors, tmp_path / "cat.safetensors")
    import_lora(str(tiny_folder), {"unet": str(tmp_path / "cat.safetensors")}, str(tmp_path / "l"))
    imported = load_model(tiny_folder, lora=tmp_path / "l").unet
    added = imported.get_submodule(linear).weight - base.unet.get_submodule(linear).weight
    torch.testing.assert_close(added, 2 / 4 * 2 * up @ down, rtol=1e-4, atol=1e-4)
    pixels = torch.randn(1, full.shape[1], 5, 5, generator=random)
    layer = imported.get_submodule(conv), base.unet.get_submodule(conv)
    difference = layer[0](pixels) - layer[1](pixels)
    hidden = torch.conv2d(torch.conv2d(pixels, thin), mid, padding=1)
    expected = ALPHA / RANK * torch.conv2d(hidden, out)
    torch.testing.assert_close(difference, expected, rtol=1e-3, atol=1e-3)


def test_published_files_warn_without_the_text_encoders(tiny_folder, tiny_model, tmp_path, caplog):
    paths = {part: str(tmp_path / f"2500_{part}.pt") for part in PARTS}
    for part, path in paths.items():
        torch.save(published_matrices(getattr(tiny_model, part), part), path)
    said = "the text encoder's adapter is left out"
    with caplog.at_level(logging.WARNING):
        import_lora(str(tiny_folder), paths, str(tmp_path / "both"), license="mit")
        assert said not in caplog.text
        import_lora(str(tiny_folder), {"": str(tmp_path)}, str(tmp_path / "folder"), license="mit")
        assert not caplog.records
        import_lora(str(tiny_folder), {"unet": str(tmp_path)}, str(tmp_path / "one"))
        assert said in caplog.text and "2500_text_encoder.pt" in caplog.text
    both, folder = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in ("both", "folder")
    )
    assert both == folder
    assert json.loads((tmp_path / "one" / "unet" / "adapter_config.json").read_text())["r"] == 3
    assert not (tmp_path / "one" / "text_encoder").exists()


def test_a_cards_license_stands_before_the_users(tiny_folder, tiny_model, tmp_path, caplog):
    path = tmp_path / "2500_unet.pt"
    torch.save(published_matrices(tiny_model.unet, "unet"), path)
    text = "License: [CC BY-NC-ND](https://creativecommons.org/licenses/by-nc-nd/4.0/)"
    for number, metadata in enumerate(("license: cc-by-nc-4.0", "tags: [cats]")):
        (tmp_path / "README.md").write_text(f"---\n{metadata}\n---\n{text}\n")
        import_lora(
            str(tiny_folder), {"unet": str(path)}, str(tmp_path / f"{number}"), license="MIT"
        )
    assert "states the license cc-by-nc-4.0, so --license MIT is not used" in caplog.text
    stated, said, _ = read_statements(tmp_path / "0")
    assert stated == "cc-by-nc-4.0" and text in said
    # What no card states the user may, beside what its text says.
    stated, said, _ = read_statements(tmp_path / "1")
    assert stated == "MIT" and text in said


def test_swapped_files_and_missing_ones_are_named(tiny_folder, tiny_model, tmp_path):
    torch.save(published_matrices(tiny_model.text_encoder, "text_encoder"), tmp_path / "te.pt")
    said = (
        "te.pt: has 12 pairs .* as many as the model's text_encoder has modules, not its unet; give"
    )
    with pytest.raises(ValueError, match=said):
        import_lora(str(tiny_folder), {"unet": str(tmp_path / "te.pt")}, str(tmp_path / "lora"))
    with pytest.raises(ValueError, match="unet.pt: there is no such file"):
        import_lora(str(tiny_folder), {"unet": str(tmp_path / "unet.pt")}, str(tmp_path / "lora"))
    with pytest.raises(ValueError, match="te.pt: .* give it as --unet or as --text-encoder"):
        import_lora(str(tiny_folder), {"": str(tmp_path / "te.pt")}, str(tmp_path / "lora"))


def zeros(tensors):
    return {
        name: each if "alpha" in name else torch.zeros_like(each) for name, each in tensors.items()
    }


def first(tensors, suffix):
    return next(name for name in sorted(tensors) if name.endswith(suffix))


def changed(tensors, suffix, change):
    name = first(tensors, suffix)
    return {**tensors, name: change(tensors[name])}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (zeros, "all .* layers of the unet add zero, so the adapter changes nothing"),
        (
            lambda t: changed(t, "up.weight", lambda each: each[:, :1].clone()),
            "has the rank 2, but",
        ),
        (
            lambda t: changed(t, "up.weight", lambda each: each[:-1].clone()),
            "its up matrix has the s",
        ),
        (lambda t: changed(t, "up.weight", lambda each: each.int()), "its up matrix is of type"),
        (lambda t: changed(t, "up.weight", lambda each: each / 0), "values that are not"),
        (lambda t: changed(t, ".alpha", lambda each: torch.zeros(2)), "alpha must be one number"),
        (lambda t: changed(t, ".alpha", lambda each: each * torch.inf), "must be a finite number"),
        (lambda t: {n: e for n, e in t.items() if n != first(t, "up.weight")}, "has no up matrix"),
        (
            lambda t: t | {"lora_unet_a_b.lora_up.weight": torch.ones(1, 1)},
            "has no down matrix|none",
        ),
        (
            lambda t: {n.replace("attn1", "attn9"): e for n, e in t.items()},
            "none of the model's, su",
        ),
        (
            lambda t: {
                f"lora_te_encoder_layers_0_self_attn_q_proj.lora_{n}.weight": torch.ones(32, 32)
                for n in ("down", "up")
            },
            "change the text encoder alone",
        ),
        (lambda t: {f"lora_te2_{n}": e for n, e in t.items()}, "Stable Diffusion XL"),
        (lambda t: {"a.hada_w1_a": torch.ones(1)}, "an adapter of the kind LoHa"),
        (lambda t: {"conv_in.weight": torch.ones(1)}, "if it is a whole model, give it as --model"),
        (lambda t: {n.replace("alpha", "dora_scale"): e for n, e in t.items()}, "has a dora_scale"),
    ],
)
def test_what_does_not_fit_is_named(tiny_folder, matrices, tmp_path, edit, said):
    path = tmp_path / "cat.safetensors"
    save_file(edit(kohya({"unet": matrices["unet"]})), path)
    with pytest.raises(ValueError, match=said) as raised:
        import_lora(str(tiny_folder), {"": str(path)}, str(tmp_path / "lora"))
    assert str(path) in str(raised.value) and len(str(raised.value)) < 1000
    assert not (tmp_path / "lora").exists()


def test_files_cut_short_and_settings_of_another_rank_are_named(
    tiny_folder, trained, matrices, tmp_path
):
    whole = write_kohya(trained, matrices, tmp_path).read_bytes()
    torch.save(published_matrices(trained.unet), tmp_path / "2500_unet.pt")
    pickled = (tmp_path / "2500_unet.pt").read_bytes()
    for name, content in (("cat.safetensors", whole), ("2500_unet.pt", pickled)):
        for length in (0, 5, len(content) // 2, len(content) - 1):
            (tmp_path / name).write_bytes(content[:length])
            with pytest.raises(ValueError, match=rf"{name}: (is empty|damaged or cut short)"):
                import_lora(str(tiny_folder), {"unet": str(tmp_path / name)}, str(tmp_path / "o"))
    (tmp_path / "given").mkdir()
    folder = write_peft(trained, matrices, tmp_path / "given")
    path = folder / "unet" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"r": 3}))
    with pytest.raises(ValueError, match="have the rank 2, but the settings beside them say 3"):
        import_lora(str(tiny_folder), {"": str(folder)}, str(tmp_path / "o"))
    with pytest.raises(ValueError, match="12 of its 12 layers are none of the model's"):
        import_lora(str(tiny_folder), {"unet": str(folder / "text_encoder")}, str(tmp_path / "o"))
