"""Real models at toy size, written once."""

import os
import shutil
import signal
import tempfile

# Before torch is imported. Two tests run at a time on as few as two cores, and OpenMP's threads
# spin while they wait for a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch
from selenium import webdriver
from xdist.scheduler import LoadScopeScheduling

from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import VideoModel, load_model
from flipsketch.storage import folder, stores
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from tests.helpers.clusters import share_ray
from tests.helpers.corpora import make_job
from tests.helpers.s3 import CREDENTIALS, FaultyProxy, S3Server
from tests.helpers.scorers import write_clip, write_xclip

torch.set_num_threads(1)
# Before a Ray is started whose workers read them.
os.environ.update(CREDENTIALS)
# A shell that runs the tests in the background has it ignored, and so would processes of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Disks fail on purpose here; nobody need wait until they have recovered.
folder.RETRY_PAUSES_S = stores.RETRY_PAUSES_S = (0.01, 0.02)


# Tests that share what takes long to make: one process has all of a group, in order. A table, since
# the marks of --dist loadgroup do nothing with pytest 9.2 (xdist 3.8 writes them where it no longer
# looks).
GROUPS = {
    "ray": (
        "tests/end_to_end/test_ray.py",
        "tests/end_to_end/test_train.py::test_workers_and_drivers_may_die",
        "tests/end_to_end/test_train_stores.py::test_workers_on_ray",
        "tests/execution/test_pool.py",
        "tests/execution/test_attempts.py::test_rows_that_raise_hang_or_end_their_process_on_ray",
    ),
    "browser": (
        *("tests/report/test_page.py", "tests/report/test_sketch_page.py"),
        "tests/svg/test_animated.py::test_a_browser",
    ),
    "curate": ("tests/end_to_end/test_curate.py",),
}


class GroupScheduling(LoadScopeScheduling):
    """Groups first, then every test by itself: the last to end are short."""

    def _split_scope(self, nodeid: str) -> str:
        names = (name for name, starts in GROUPS.items() if nodeid.startswith(starts))
        return next(names, nodeid)


def pytest_xdist_make_scheduler(config, log):
    return GroupScheduling(config, log)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A model for frames of 16 pixels: the smallest that has every kind of layer."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", size=16)


@pytest.fixture(scope="session")
def tiny_motion_folder(tmp_path_factory):
    """The same of AnimateDiff."""
    folder = tmp_path_factory.mktemp("models") / "tiny_motion"
    return write_tiny_model(folder, size=16, family="animatediff")


@pytest.fixture(params=["modelscope", "animatediff"])
def any_folder(request):
    """A model of each family, in turn."""
    names = {"modelscope": "tiny_folder", "animatediff": "tiny_motion_folder"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def tiny_model(tiny_folder) -> VideoModel:
    return load_model(tiny_folder)


@pytest.fixture
def tiny_model64(tiny_folder) -> VideoModel:
    """In float64, where equal means equal."""
    return load_model(tiny_folder, dtype=torch.float64)


@pytest.fixture
def browser(shared_browser):
    """Leaves the test's page in the end: one that plays keeps a core busy in the tests after it."""
    yield shared_browser
    shared_browser.get("about:blank")


@pytest.fixture(scope="session")
def shared_browser():
    """Tests that ask for it are among `GROUPS`: one process starts it, once."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs a browser: Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    flags = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"]
    flags += ["disable-background-networking", "disable-component-update", "disable-sync"]
    with tempfile.TemporaryDirectory() as profile:
        for flag in [*flags, f"user-data-dir={profile}", "window-size=1200,900"]:
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options, service)
        yield driver
        driver.quit()


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def xclip_folder(tmp_path_factory):
    return write_xclip(tmp_path_factory.mktemp("xclip"))


@pytest.fixture
def two_cpus() -> None:
    """A Ray of two CPUs; tests that ask for it are among `GROUPS`: one process starts it, once."""
    share_ray(2)


@pytest.fixture(scope="session")
def s3():
    """An S3 server with an empty bucket; a test keeps to a prefix that no other uses."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def proxy(s3):
    """A way to the S3 server that can be made to fail."""
    proxy = FaultyProxy(s3)
    yield proxy
    proxy.stop()


@pytest.fixture
def job(tiny_folder, tmp_path) -> AnimateConfig:
    """A job on six good rows; tests replace what they are about."""
    return make_job(tiny_folder, tmp_path)


@pytest.fixture(scope="session")
def whole(tiny_folder, tmp_path_factory) -> AnimateConfig:
    """What `job` makes when nothing goes wrong, to be read or copied."""
    job = make_job(tiny_folder, tmp_path_factory.mktemp("whole"))
    assert animate_manifest(job) == 0
    return job


@pytest.fixture
def made(job, whole) -> AnimateConfig:
    """`job` after a run: its folder holds a copy of the corpus."""
    shutil.copytree(whole.output, job.output)
    return job
