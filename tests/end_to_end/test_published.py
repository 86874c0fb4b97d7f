"""README's two roads to the published checkpoint run as they stand there, and differ by what the
shipped merge drops."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from flipsketch.cli import parse
from flipsketch.models.lora import find_targets
from flipsketch.models.video_model import load_model, predict_noise
from pipelines.animating.config import AnimateConfig
from pipelines.cli import run
from pipelines.import_lora import ImportConfig, import_lora
from tests.helpers.hub import Hub, hub_client
from tests.helpers.published import modelscope_unet, write_checkpoint

ROOT = Path(__file__).parents[2]
CHECKPOINT, BASE = "Hmrishav/t2v_sketch-lora", "damo-vilab/text-to-video-ms-1.7b"


@pytest.fixture
def served(tiny_folder, tmp_path, monkeypatch):
    """The two repositories, at toy size: ModelScope's layers one by one, a few channels wide."""
    base = shutil.copytree(tiny_folder, tmp_path / "base")
    torch.manual_seed(0)
    modelscope_unet(cross_attention_dim=32).save_pretrained(base / "unet")
    dropped = write_checkpoint(base, tmp_path / "repository" / "checkpoint-2500")
    with Hub() as hub, hub_client(hub, tmp_path / "home", monkeypatch):
        hub.push(BASE, base)
        hub.push(CHECKPOINT, tmp_path / "repository")
        yield dropped


def readme_commands(output: Path) -> list[tuple[str, list[str]]]:
    """Return the recipe's commands, each a job and its flags; what they write goes elsewhere."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (recipe,) = [block for block in blocks if CHECKPOINT in block]
    lines = recipe.replace("\\\n", " ").strip().splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    assert all(each[0] == "python" for each in words)
    return [(each[1], [re.sub("^out/", f"{output}/", w) for w in each[2:]]) for each in words]


def test_both_roads_run_and_differ_by_what_the_merge_drops(served, tmp_path):
    # A text encoder of 2 layers has 12 modules, 4 of them in its feed-forwards.
    assert served == {"unet": 197, "text_encoder": 4}
    commands = readme_commands(tmp_path)
    assert [job for job, _ in commands] == [
        "jobs/animate_manifest.py",
        "jobs/import_lora.py",
        "jobs/animate_manifest.py",
    ]
    models = []
    for job, flags in commands:
        if job == "jobs/animate_manifest.py":
            config = parse(AnimateConfig, None, args=flags)
            assert config.sampling.sketch_range == "unit"
            models.append(load_model(config.model, lora=config.lora))
        else:
            assert run(import_lora, ImportConfig, None, args=flags) == 0
    merged, imported = models
    for part, target_set, total in (("unet", "all", 574), ("text_encoder", "linear", 12)):
        pairs = [find_targets(getattr(model, part), target_set) for model in (merged, imported)]
        assert len(pairs[0]) == total
        differing = [
            name
            for name, module in pairs[0].items()
            if not torch.allclose(module.weight, pairs[1][name].weight, rtol=0, atol=1e-6)
        ]
        assert len(differing) == served[part]
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 3, 8, 8, generator=random)
    made = []
    for model in (merged, imported):
        with torch.no_grad():
            embeds = model.encode_prompts(["a cat waves its tail"])
            made.append(predict_noise(model.unet, latents, torch.tensor(500), embeds))
    difference = (made[0] - made[1]).norm() / made[1].norm()
    print(f"the roads' predictions differ by {difference:.1%} of their size at toy size")
    assert 0.01 < difference < 1
