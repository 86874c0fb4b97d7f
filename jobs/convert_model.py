#!/usr/bin/env python
r"""Convert a model's pickled weights (*.bin, *.pt, *.pth, *.ckpt) to safetensors.

Tensors are read alone, and nothing in the files is executed; sizes, names and shapes are checked.
AnimateDiff's motion modules become the folder of a motion adapter, for --motion-adapter.

    python jobs/convert_model.py --model guoyww/animatediff/mm_sd_v15_v2.ckpt \
        --output out/models/motion-adapter
"""

import sys

from pipelines.cli import run
from pipelines.convert_model import ConvertConfig, convert

if __name__ == "__main__":
    sys.exit(run(convert, ConvertConfig, __doc__))
