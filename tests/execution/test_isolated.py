import os
import signal
import threading

import pytest

from pipelines.execution.isolated import Lost, call_isolated

DIES = "__import__('os').kill(__import__('os').getpid(), 9)"
HANGS = "__import__('time').sleep(600)"


def test_what_dies_or_hangs_is_lost_alone_and_the_others_come_in_order():
    items = ["2 + 3", DIES, "'a' * 3", HANGS, "7"]
    made = list(call_isolated(eval, items, num_processes=2, limit_s=1.5))
    reason = "ended its process 2 times (SIGKILL): memory ran out, or a library crashed"
    assert made == [5, Lost(DIES, reason), "aaa", Lost(HANGS, "took longer than 1.5 s"), 7]


def test_an_interrupt_ends_at_once_and_leaves_no_process():
    calls = call_isolated(eval, ["__import__('os').getpid()", HANGS], num_processes=1, limit_s=60)
    process = next(calls)
    threading.Timer(0.2, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        next(calls)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
