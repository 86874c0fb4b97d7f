#!/usr/bin/env python
"""Write the command and the flags of every job into its page in docs/, from the config classes.

The text of a page is written by hand; what lies between its two markers is replaced.

python docs/generate.py
"""

import ast
import dataclasses
import importlib
import inspect
import math
import re
import textwrap
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import Positional

from flipsketch.cli import PresetFlag
from flipsketch.method.config import SamplingConfig, model_defaults

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- From here to the end marker: written by docs/generate.py; run `make docs`. -->"
END = "<!-- End of the generated part. -->"
# The file with a job's description, and its config class.
JOBS = {
    "one_drawing": ("flipsketch/__main__.py", "flipsketch.__main__.OneConfig"),
    "animate": ("jobs/animate_manifest.py", "pipelines.animating.config.AnimateConfig"),
    "check_sketches": ("jobs/check_sketches.py", "pipelines.check_sketches.CheckSketchesConfig"),
    "shards": ("jobs/make_shards.py", "pipelines.rasterize.RasterizeConfig"),
    "write_animations": (
        "jobs/write_animations.py",
        "pipelines.write_animations.WriteAnimationsConfig",
    ),
    "doodles": ("jobs/make_doodles.py", "pipelines.doodles.DoodlesConfig"),
    "train": ("jobs/train_lora.py", "pipelines.training.config.TrainConfig"),
    "evaluate": ("jobs/evaluate.py", "pipelines.evaluate.EvaluateConfig"),
    "report": ("jobs/report.py", "pipelines.report.ReportConfig"),
    "preview": ("jobs/preview.py", "pipelines.preview.PreviewConfig"),
    "curate": ("jobs/curate.py", "pipelines.curate.CurateConfig"),
    "compare": ("jobs/compare.py", "pipelines.compare.CompareConfig"),
    "status": ("jobs/status.py", "pipelines.status.StatusConfig"),
    "import_lora": ("jobs/import_lora.py", "pipelines.import_lora.ImportConfig"),
    "merge_lora": ("jobs/merge_lora.py", "pipelines.merge_lora.MergeConfig"),
    "convert_model": ("jobs/convert_model.py", "pipelines.convert_model.ConvertConfig"),
    "doodle_model": (
        "jobs/make_doodle_model.py",
        "pipelines.doodle_model.settings.DoodleModelConfig",
    ),
}
# Of groups whose fields are not named as people write them.
TITLES = {"livesketch": "Live-Sketch"}


@dataclass(frozen=True)
class Flag:
    group: str
    """Name of the field that holds the flag's config; empty for the job's own."""
    usage: str
    default: str
    help: str


def page_path(name: str) -> Path:
    return ROOT / "docs" / f"{name}.md"


def render(name: str) -> str:
    """Return a page as it should be: the text that is there, around a new generated part."""
    before, begin, rest = page_path(name).read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page_path(name)}: lacks the line {END if begin else BEGIN!r}")
    return f"{before}{BEGIN}\n\n{generated_part(name)}\n{END}{after}"


def generated_part(name: str) -> str:
    description, config_class = read_job(name)
    flags = list_flags(config_class)
    parts = [f"```sh\n{find_command(description)}\n```\n"]
    for group in dict.fromkeys(flag.group for flag in flags):
        named = TITLES.get(group, group.replace("_", " ").capitalize())
        title = f"{named} flags" if group else "Flags"
        parts.append(f"## {title}\n\n{table([flag for flag in flags if flag.group == group])}")
    return "\n".join(parts)


def read_job(name: str) -> tuple[str, type]:
    """Return the description of a job and its config class."""
    script, config_class = JOBS[name]
    module, _, class_name = config_class.rpartition(".")
    description = ast.get_docstring(ast.parse((ROOT / script).read_text()))
    assert description, script
    return description, getattr(importlib.import_module(module), class_name)


def find_command(description: str) -> str:
    """Return the command at the end of a docstring, on as many lines as it has there."""
    return textwrap.dedent(description[description.rindex("\n\n") :]).strip()


def list_flags(config_class: type, group: str = "") -> list[Flag]:
    """Return the flags of a config class, those of the configs in it last."""
    hints = get_type_hints(config_class, include_extras=True)
    texts = field_texts(config_class)
    own, nested = [], []
    for field in dataclasses.fields(config_class):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            nested += list_flags(hint, field.name)
        else:
            text = texts.get(field.name, "")
            usual = default(field, config_class)
            own.append(Flag(group, usage(field.name, hint, "on" in usual), usual, text))
    if "sampling" in hints:
        own += list_flags(PresetFlag)
    own.sort(key=lambda flag: flag.default != "required")
    return own + nested


def field_texts(config_class: type) -> dict[str, str]:
    """Return the docstring under each field of a dataclass, those it inherits included."""
    texts = {}
    for base in reversed(config_class.__mro__[:-1]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for statement, following in zip(tree.body, tree.body[1:], strict=False):
            match statement, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[name] = " ".join(text.split())
    return texts


def usage(name: str, hint: Any, is_on: bool) -> str:
    """Return a flag as it is typed, in code, with the kind of value that it takes.

    Args:
        is_on: the flag, if it is a switch, is on by default, so that it may be switched off.
    """
    flag = "--" + name.replace("_", "-")
    aliases: list[str] = []
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        if Positional in notes:
            return f"`{name.upper()}`"
        aliases = [alias for note in notes for alias in getattr(note, "aliases", None) or ()]
    if hint is bool:
        return f"`{flag}`" + (f", `--no-{flag[2:]}`" if is_on else "")
    return ", ".join([f"`{flag} {kind(hint)}`", *(f"`{alias}`" for alias in aliases)])


def kind(hint: Any) -> str:
    """Return the kind of value that a type stands for: INT, {a,b}, STR ..."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal:
        # Sorted: Python may return an earlier union of the same literals, in their earlier order.
        return "{" + ",".join(sorted(get_args(hint))) + "}"
    if get_origin(hint) is tuple:
        return kind(get_args(hint)[0]) + " ..."
    return hint.__name__.upper()


def default(field: dataclasses.Field, config_class: type) -> str:
    """Return a field's default in words, and doodle's own where that is another."""
    if field.default_factory is not dataclasses.MISSING:
        return "depends on the machine"
    if field.default is dataclasses.MISSING:
        return "required"
    value = in_words(field.default)
    if config_class is SamplingConfig:
        doodle = in_words(getattr(model_defaults("doodle"), field.name))
        value += f"; with `doodle` {doodle}" if doodle != value else ""
    return value


def in_words(value: Any) -> str:
    match value:
        case None | () | "":
            return "not set"
        case bool():
            return "on" if value else "off"
        case tuple():
            return "`" + " ".join(value) + "`"
        case float() if math.isinf(value):
            return "no limit"
        case _:
            return f"`{value}`"


def table(flags: list[Flag]) -> str:
    lines = ["| flag | default | meaning |", "|---|---|---|"]
    for flag in flags:
        text = re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", flag.help.replace("*", r"\*"))
        cells = (flag.usage, flag.default, text)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for page in JOBS:
        page_path(page).write_text(render(page))
