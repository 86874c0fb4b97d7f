"""Rows that do harm: a hook in the text encoder that raises, hangs or ends its process on a prompt.

What is raised is real too: a panic of Rust, an exit, a recursion without end.

The hook is torch's own; the project's code runs as it is. Ray's workers call `install` too.
"""

import ctypes
import os
import sys
import time

import pyarrow as pa
import ray
import tokenizers
import torch
from transformers import CLIPTextModel

from flipsketch.models.tiny import byte_tokenizer

RAISES, HANGS, EXITS, STARVES = "qqq", "zzz", "xxx", "jjj"
QUITS, PANICS, RECURSES, BREAKS_ARROW = "vvv", "ppp", "rrr", "bbb"
INTERRUPTS, LEAVES_RAY, CRASHES = "iii", "yyy", "ccc"


def install():
    tokenizer = byte_tokenizer()

    def poison(module, args):
        if not isinstance(module, CLIPTextModel):
            return
        for tokens in args[0].tolist():
            text = "".join(tokenizer.convert_ids_to_tokens(tokens)).replace("</w>", " ")
            if RAISES in text:
                raise ArithmeticError("the model cannot do this one")
            if STARVES in text:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
            if HANGS in text:
                time.sleep(3600)
            if EXITS in text:
                os._exit(9)
            if QUITS in text:
                sys.exit("the model leaves")
            if PANICS in text:
                tokenizers.decoders.Strip(content="a", left=5, right=5).decode(["aaa"])
            if RECURSES in text:
                recurse()
            if BREAKS_ARROW in text:
                raise pa.lib.ArrowException("\x1b[31m" + "<svg>" * 100_000)
            if INTERRUPTS in text:
                raise KeyboardInterrupt
            if LEAVES_RAY in text:
                ray.actor.exit_actor()
            if CRASHES in text:
                ctypes.string_at(0)

    return torch.nn.modules.module.register_module_forward_pre_hook(poison)


def recurse():
    return recurse()
