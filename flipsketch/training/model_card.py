"""The card of what training made: what it is made of, how, and how the loss went."""

import io
import json
from pathlib import Path
from shlex import quote

import numpy as np
from matplotlib.figure import Figure

from flipsketch.corpus.licenses import resolve_license
from flipsketch.corpus.passport import join_licenses
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.restrictions import list_restrictions
from flipsketch.models.cards import license_field
from flipsketch.models.pinning import noted_place
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import MAX_CONTENT, one_line
from flipsketch.training.objective import QUARTILES
from flipsketch.training.reports import StepReport

SMOOTHED_POINTS = 100
TEMPLATE = """# {title}

{origin} on {num_clips:,} clips, {num_steps:,} steps of {global_batch_size} clips with \
{num_frames} frames.

| fact | value |
|---|---|
| base model | {model}, fingerprint `{model_fingerprint}` |
{motion}| license | {licence}, the base model's; that of the clips is {data_licence} |
| clips | {shards}, fingerprint `{shards_fingerprint}` |
| command | `{command}` |
| versions | {versions} |

{restrictions}{use}

![loss](loss.png)

| over the last {num_last:,} steps | {quartile_names} | all |
|---|{rules}---|
| loss | {quartile_losses} | {loss} |

The quarters are of the noise schedule, from the least noise to the most.

Settings:

```json
{settings}
```
"""
USE = """```
python jobs/animate_manifest.py --manifest MANIFEST --model {model} {flag} --output CLIPS
```"""


def write_training_card(folder: Folder, plan: Plan, history: list[StepReport]) -> None:
    """Write README.md and the picture of the loss that it shows."""
    # Imported late: it is needed once, when the training is done.
    from huggingface_hub import ModelCardData

    settings, log = plan.settings, plan.log
    license = join_licenses(list_licenses(plan).values())
    is_lora = settings["method"] == "lora"
    motion, flag = describe_motion(plan)
    last = history[-max(1, len(history) // 10) :]
    quartiles = mean_quartiles(last)
    data = ModelCardData(
        # The Hub takes a list too.
        license=license_field(list_licenses(plan).values()),  # type: ignore[arg-type]
        base_model=name_on_hub(str(log["model"])),
        library_name="peft" if is_lora else "diffusers",
        pipeline_tag="text-to-video",
        tags=["sketch", "animation", "flipsketch", *(["lora"] if is_lora else [])],
        # No field of the Hub's, which knows one license: the clips may restrict what is made too.
        data_license=log["data_licence"],
    )
    text = TEMPLATE.format(
        title="Sketch animation adapter" if is_lora else "Sketch animation model",
        licence=table_cell(license),
        origin="A LoRA adapter, trained" if is_lora else "All weights trained",
        model=noted_place(log, "model"),
        model_fingerprint=settings["model_fingerprint"],
        motion=motion,
        shards=log["shards"],
        shards_fingerprint=settings["shards_fingerprint"],
        data_licence=table_cell(log["data_licence"]),
        command=log["command"],
        restrictions="".join(
            f"{text[:1].upper()}{text[1:]}.\n\n" for text in describe_restrictions(plan)
        ),
        versions=", ".join(f"{name} {version}" for name, version in log["versions"].items()),
        use=USE.format(
            model=quote(str(noted_place(log, "model")) if is_lora else folder.locate("model")),
            flag=f"--lora {quote(folder.locate('lora'))}{flag}" if is_lora else "",
        ),
        num_last=len(last),
        quartile_names=" | ".join(f"quarter {number + 1}" for number in range(QUARTILES)),
        rules="---|" * QUARTILES,
        quartile_losses=" | ".join(
            "none fell there" if np.isnan(loss) else f"{loss:.4f}" for loss in quartiles
        ),
        loss=f"{np.mean([report.loss for report in last]):.4f}",
        settings=json.dumps(settings, indent=1, sort_keys=True),
        **{name: settings[name] for name in ("num_clips", "num_steps", "num_frames")},
        global_batch_size=settings["global_batch_size"],
    )
    card = f"---\n{data.to_yaml()}\n---\n\n{text}"
    folder.publish("loss.png", draw_losses(history))
    folder.publish("README.md", card.encode())
    # Beside the weights too, which go their own ways.
    result = "lora" if is_lora else "model"
    folder.publish(f"{result}/README.md", card.replace("](loss.png)", "](../loss.png)").encode())


def describe_motion(plan: Plan) -> tuple[str, str]:
    """Return what the table of facts says of the motion adapter, and the flag that gives it; empty
    for a model that needs none."""
    fingerprint, place = (
        plan.settings.get("motion_fingerprint"),
        noted_place(plan.log, "motion_adapter"),
    )
    if fingerprint is None:
        return "", ""
    where = place or "in the model's folder"
    row = f"| motion adapter | {where}, fingerprint `{fingerprint}` |\n"
    return row, f" --motion-adapter {quote(place)}" if place else ""


def name_on_hub(place: str) -> str | None:
    """Return the name of a model's repository, which cards link to; None of a local folder."""
    return None if Path(place).is_dir() else "/".join(place.partition("@")[0].split("/")[:2])


def list_licenses(plan: Plan) -> dict[str, str]:
    """Return the licenses of the weights that training begins with, by what they are."""
    licenses = {
        "model": plan.model_licence,
        "motion adapter": plan.log.get("motion_licence"),
        "adapter": plan.log.get("lora_licence"),
    }
    return {part: license for part, license in licenses.items() if license}


def describe_restrictions(plan: Plan) -> list[str]:
    """Return a sentence on each license that does not allow, or is not known to allow, commercial
    use of what is trained, or to train at all."""
    data = plan.log["data_licence"]
    found = list_restrictions([*list_licenses(plan).items(), ("training data", data)])
    terms = resolve_license(data)
    if terms.train_others == "no":
        found.append(
            f"the license of the training data ({one_line(data, MAX_CONTENT)}) does not allow "
            f"training other models on it"
        )
    return found


def table_cell(text: str) -> str:
    """Return text as it can stand in a table: on one line, and without a bar of its own."""
    return one_line(text).replace("|", "\\|")


def mean_quartiles(reports: list[StepReport]) -> np.ndarray:
    """Return the mean loss in each quarter of the noise schedule (4,); NaN where none fell."""
    sums = np.sum([report.quartile_sums for report in reports], axis=0)
    counts = np.sum([report.quartile_counts for report in reports], axis=0)
    return np.divide(sums, counts, out=np.full(QUARTILES, np.nan), where=counts > 0)


def draw_losses(history: list[StepReport]) -> bytes:
    """Return a PNG: the loss over the steps, and its means over stretches of them, by quarter."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = [report.step for report in history]
    losses = [report.loss for report in history]
    axes.plot(steps, losses, color="0.85", linewidth=0.8, label="each step")
    stretch = max(1, len(history) // SMOOTHED_POINTS)
    stretches = [history[at : at + stretch] for at in range(0, len(history), stretch)]
    ends = [reports[-1].step for reports in stretches]
    axes.plot(
        ends,
        [np.mean([report.loss for report in reports]) for reports in stretches],
        color="black",
        label=f"mean of {stretch} steps" if stretch > 1 else "loss",
    )
    for number, values in enumerate(zip(*map(mean_quartiles, stretches), strict=True)):
        axes.plot(ends, values, linewidth=0.8, label=f"quarter {number + 1} of the noise")
    axes.set(xlabel="step", ylabel="loss")
    axes.legend(fontsize="small", frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100, metadata={"Software": None})
    return content.getvalue()
