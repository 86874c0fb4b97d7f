"""Rows that do harm: a hook in the text encoder that raises, hangs or ends its process on a prompt.

The hook is torch's own; the project's code runs as it is. Ray's workers call `install` too.
"""

import os
import time

import torch
from transformers import CLIPTextModel

from flipsketch.models.tiny import byte_tokenizer

RAISES, HANGS, EXITS, STARVES = "qqq", "zzz", "xxx", "jjj"


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

    return torch.nn.modules.module.register_module_forward_pre_hook(poison)
