"""The page on large runs, and the files for KubeRay and Slurm that it speaks of."""

import copy
import importlib
import json
import re
import shlex
import subprocess

import jsonschema
import pytest
import yaml

from flipsketch.cli import parse
from tests.helpers.corpora import ROOT
from tests.test_docs import generate

PAGE = (ROOT / "docs" / "large-runs.md").read_text()
RAYJOB = (ROOT / "docs" / "kuberay-rayjob.yaml").read_text()
SCRIPT = (ROOT / "docs" / "slurm.sbatch").read_text()
SCHEMA = json.loads((ROOT / "tests" / "schemas" / "rayjob.json").read_text())
JOBS = {script: name for name, (script, _) in generate.JOBS.items()}
HEAD = "spec.rayClusterSpec.headGroupSpec.template"


def strict(schema):
    """Refuse fields that a schema does not know, which an API server drops without a word."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(one) for name, one in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if (
        isinstance(schema.get("properties"), dict)
        and schema.get("type") == "object"
        and not is_open
    ):
        made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    return made


def rayjob_problems(document) -> list[str]:
    validator = jsonschema.Draft202012Validator(strict(SCHEMA))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_rayjob_is_what_kuberay_takes():
    document = yaml.safe_load(RAYJOB)
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", "RayJob")
    assert rayjob_problems(document) == []
    assert document["metadata"].keys() <= {"name", "namespace", "labels", "annotations"}


@pytest.mark.parametrize(
    "path, value",
    [
        ("spec.entryPoint", "python x.py"),
        ("spec.rayClusterSpec.workerGroupSpecs.0.replicas", "1"),
        ("spec.rayClusterSpec.workerGroupSpecs.0.groupName", None),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
        (f"{HEAD}.spec.containers.0.resources.request", {}),
        (f"{HEAD}.spec.containers.0.resources.limits.memory", "much"),
        ("spec.submitterPodTemplate.spec.containers.0.env.0.valuefrom", {}),
        (
            "spec.rayClusterSpec.headGroupSpec.template.spec.containers.0.resources.limits.memory",
            "x",
        ),
    ],
)
def test_the_schema_finds_what_is_wrong(path, value):
    document = copy.deepcopy(yaml.safe_load(RAYJOB))
    *names, last = (int(name) if name.isdecimal() else name for name in path.split("."))
    place = document
    for name in names:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    assert rayjob_problems(document)


def test_the_pods_of_the_rayjob_agree():
    spec = yaml.safe_load(RAYJOB)["spec"]
    cluster = spec["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    groups = (
        spec["submitterPodTemplate"],
        cluster["headGroupSpec"]["template"],
        workers["template"],
    )
    pods = [group["spec"] for group in groups]
    (submitter,), (head,), (worker,) = (pod["containers"] for pod in pods)
    assert submitter["image"] == head["image"] == worker["image"]
    assert submitter["env"] == head["env"] == worker["env"]
    for pod in pods:
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        (container,) = pod["containers"]
        assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes
    # The Ray of the image is the one that is installed from here.
    assert f"ray=={cluster['rayVersion']}\n" in (ROOT / "constraints.txt").read_text()
    num_gpus = worker["resources"]["limits"]["nvidia.com/gpu"] * workers["replicas"]
    assert f"--workers {num_gpus} " in spec["entrypoint"]


def commands() -> list[list[str]]:
    """Return the jobs that the page and the two files start, as words."""
    entrypoint = yaml.safe_load(RAYJOB)["spec"]["entrypoint"]
    header = re.findall(r"^#   (sbatch .*\\\n(?:#  .*\n)+)", SCRIPT, re.MULTILINE)
    text = [entrypoint, *(line.replace("\n#", "\n") for line in header)]
    text += re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = "\n".join(text).replace("\\\n", " ").splitlines()
    return [words for line in lines if any(map(is_job, words := shlex.split(line, comments=True)))]


def is_job(word: str) -> bool:
    return word.removeprefix("/app/") in JOBS


def test_every_command_is_one_that_a_job_takes():
    found = commands()
    assert len(found) >= 8
    for words in found:
        place = next(index for index, word in enumerate(words) if is_job(word))
        name = JOBS[words[place].removeprefix("/app/")]
        description, config_class = generate.read_job(name)
        flags = [word.partition("=")[0] for word in words[place + 1 :] if word.startswith("--")]
        known = " ".join(flag.usage for flag in generate.list_flags(config_class))
        assert [flag for flag in flags if flag not in re.findall(r"--[a-z-]+", known)] == []
        # Missing and wrong values too are found here, in place of days later.
        parse(config_class, description, args=words[place + 1 :])


def test_every_flag_that_the_page_names_exists():
    # Those of Slurm, of `ray job submit`, of `hf upload` and of `hf download`.
    known = {"--nodes", "--cpus-per-task", "--gpus-per-node"}
    known |= {"--working-dir", "--no-wait", "--repo-type", "--local-dir"}
    for name in ("animate", "status", "curate", "evaluate", "report"):
        _, config_class = generate.read_job(name)
        for flag in generate.list_flags(config_class):
            known.update(re.findall(r"--[a-z-]+", flag.usage))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - known == set()


def test_the_script_is_one_that_bash_reads():
    subprocess.run(["bash", "-n", ROOT / "docs" / "slurm.sbatch"], check=True)
    ray_start = importlib.import_module("ray.scripts.scripts").start
    known = {name for option in ray_start.params for name in (*option.opts, *option.secondary_opts)}
    of_ray = SCRIPT[SCRIPT.index("resources=(") : SCRIPT.index("# A run shares out")]
    of_srun = {"--nodes", "--ntasks", "--nodelist", "--overlap"}
    named = set(re.findall(r"(?<=[ (])--[a-z-]+", of_ray)) - of_srun
    assert {"--head", "--block", "--temp-dir", "--num-gpus"} <= named and named <= known
