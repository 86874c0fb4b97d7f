"""The pool of actors on a real Ray, with makers that make next to nothing."""

import functools
import os
from dataclasses import replace

import pytest
import ray

from pipelines.execution import pool
from pipelines.execution.cluster import fit_nodes
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.executor import make_shards
from pipelines.execution.trial import call_on_workers
from pipelines.execution.work import Resources
from tests.helpers.makers import (
    EnvironmentMaker,
    LeavingMaker,
    Maker,
    SlowMaker,
    StagedMaker,
    TiringMaker,
    UnloadableMaker,
)

ON_RAY = ExecutorConfig(stall_timeout_s=60)
TWO = Resources(workers=2, device="cpu", cpus_per_worker=1, num_cpus=0.5)


pytestmark = pytest.mark.usefixtures("two_cpus")


def run(maker, shards, config=ON_RAY, resources=TWO):
    reports = {}

    def report(index, num_ok, num_failed):
        reports[index] = num_ok

    made = list(make_shards(config, resources, maker, shards, report))
    return made, reports


def test_the_shards_of_dead_actors_are_made_by_others(tmp_path):
    maker = functools.partial(Maker, tmp_path, {2: 1, 5: 2})
    made, reports = run(maker, [(index, ["row"] * 2) for index in range(8)])
    assert sorted(made) == list(range(8))
    assert set(reports.values()) == {2}
    assert len(list(tmp_path.glob("5-*"))) == 3 and len(list(tmp_path.glob("3-*"))) == 1


def test_an_actor_reads_its_next_shard_while_it_makes_one():
    one = Resources(workers=1, device="cpu", cpus_per_worker=1, num_cpus=0.5)
    made, _ = run(StagedMaker, [(index, []) for index in range(4)], resources=one)
    assert sorted(made) == [0, 1, 2, 3]


def test_actors_reach_stores_as_the_driver_does(monkeypatch):
    # Ray was started with others, as a cluster is.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "driver's key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "driver's secret")
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    made, _ = run(EnvironmentMaker, [(0, names)])
    assert made == [dict(zip(names, ("driver's key", "driver's secret", None), strict=True))]


def test_what_a_maker_raises_ends_the_run_as_it_is(tmp_path):
    maker = functools.partial(Maker, tmp_path, {})
    with pytest.raises(OSError, match="^no space on shard 13$"):
        run(maker, [(13, []), (14, [])])


def test_actors_that_cannot_even_load_are_not_hired_for_ever():
    with pytest.raises(ChildProcessError, match="every actor died while it loaded the model"):
        run(UnloadableMaker, [(0, [])])


def test_a_shard_that_is_made_counts_though_its_actor_exits(tmp_path):
    made, _ = run(functools.partial(LeavingMaker, tmp_path, {}), [(0, []), (1, []), (2, [])])
    assert sorted(made) == [0, 1, 2]
    assert len(list(tmp_path.glob("0-*"))) == 1


def test_good_rows_that_are_made_again_do_not_make_deaths_go_on_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "MAX_DEATHS_IN_A_ROW", 3)
    maker = functools.partial(TiringMaker, tmp_path, {1: 100})
    with pytest.raises(ChildProcessError, match="actors died 4 times in a row without a single"):
        run(maker, [(1, ["row"] * 4)])


def test_actors_that_find_no_place_end_the_run_with_what_was_asked_for(tmp_path):
    holder = ray.remote(num_cpus=2)(Maker).remote(tmp_path, {})
    ray.get(holder.__ray_ready__.remote())
    maker = functools.partial(Maker, tmp_path, {})
    with pytest.raises(TimeoutError, match=r"for 3 s;.*'CPU': 0.5.* free of .*'CPU': 2.0"):
        run(maker, [(0, [])], ExecutorConfig(stall_timeout_s=3))
    ray.kill(holder)


@pytest.mark.slow
def test_a_slow_shard_is_no_standstill():
    assert run(SlowMaker, [(0, [])], ExecutorConfig(stall_timeout_s=20))[0] == [0]


def test_a_cluster_that_can_never_hold_the_actors_is_refused():
    eight = Resources(workers=8, device="cuda", cpus_per_worker=4, num_cpus=1, num_gpus=1)
    node = {"CPU": 8.0, "GPU": 4.0}
    assert fit_nodes(eight, [node, node]).num_cpus == 1
    with pytest.raises(ValueError, match=r"never hold 8 actors .*'GPU': 1.* only 4 .*'CPU': 8.0"):
        fit_nodes(eight, [node, {"GPU": 4.0}])
    # An actor lives on one node, so it asks for no more CPUs than the largest has.
    one = Resources(workers=1, device="cpu", cpus_per_worker=4, num_cpus=2)
    fitted = fit_nodes(one, [{"CPU": 1.0}] * 4)
    assert (fitted.num_cpus, fitted.cpus_per_worker) == (0.5, 1)


def test_each_node_is_asked_in_a_process_of_its_own():
    there = replace(TWO, driver=ray.get_runtime_context().get_node_id())
    [[node, pid]] = call_on_workers(os.getpid, there).items()
    assert node == there.driver and pid != os.getpid()
    assert list(call_on_workers(os.getpid, there, [node])) == [node]
