"""Shards in a line: which stages run beside which, and what becomes of the rest when one fails."""

import pytest

from pipelines.execution.ahead import make_in_line
from tests.helpers.makers import StagedMaker


def ignore(index, num_ok, num_failed):
    pass


def make(maker, shards):
    made = []
    for index in make_in_line(maker, iter(shards), ignore):
        made.append(index)
        maker.events.append(("made", index))
    return made


def test_the_next_shard_is_read_and_the_last_one_committed_beside_one():
    # The maker sees to it: it would wait for ever.
    assert make(StagedMaker(), [(index, []) for index in range(4)]) == [0, 1, 2, 3]


def test_no_more_than_one_shard_is_read_ahead():
    maker = StagedMaker()
    make(maker, [(index, []) for index in range(6)])
    for index in range(4):
        assert maker.events.index(("read", index + 2)) > maker.events.index(("animate", index))
        assert maker.events.index(("commit", index)) < maker.events.index(("animate", index + 2))


def test_nothing_runs_beside_a_shard_in_which_a_process_has_died():
    maker = StagedMaker(suspects=(1,))
    assert make(maker, [(index, []) for index in range(3)]) == [0, 1, 2]
    stages = ("read", "animate", "commit", "made")
    assert maker.events == [(stage, index) for index in range(3) for stage in stages]


def test_a_shard_that_cannot_be_committed_ends_the_line_and_gives_up_the_next():
    maker = StagedMaker()
    with pytest.raises(OSError, match="no space on shard 0"):
        make(maker, [(0, ["no space"]), (1, []), (2, [])])
    assert ("give up", 1) in maker.events
    assert not [event for event in maker.events if event[0] in ("commit", "made")]


def test_what_was_animated_is_committed_though_the_next_shard_cannot_be_read():
    def shards():
        yield 0, []
        yield 1, []
        raise ValueError("the manifest has changed")

    maker = StagedMaker()
    with pytest.raises(ValueError, match="the manifest has changed"):
        make(maker, shards())
    assert [index for stage, index in maker.events if stage == "made"] == [0, 1]
    assert not [event for event in maker.events if event[0] == "give up"]


def test_an_interrupt_keeps_what_is_being_committed_and_gives_up_the_rest():
    class Interrupted(StagedMaker):
        def begin_shard(self, index, rows, report):
            shard = super().begin_shard(index, rows, report)
            if index == 1:
                shard.wait_for = interrupt
            return shard

    def interrupt(what):
        raise KeyboardInterrupt

    maker = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        make(maker, [(index, []) for index in range(4)])
    assert [index for stage, index in maker.events if stage == "made"] == [0]
    assert ("give up", 1) in maker.events and ("give up", 0) not in maker.events
