#!/usr/bin/env python
r"""Import an adapter (LoRA) that others have published, in peft's format.

Read are FlipSketch's published adapter (pickled matrices without names), peft's folders, diffusers'
and kohya's single files, and AnimateDiff's motion LoRAs. Every layer is checked by name, order and
shape; nothing in the files is executed.

    python jobs/import_lora.py --model damo-vilab/text-to-video-ms-1.7b \
        --unet Hmrishav/t2v_sketch-lora/checkpoint-2500/lora/2500_unet.pt \
        --text-encoder Hmrishav/t2v_sketch-lora/checkpoint-2500/lora/2500_text_encoder.pt \
        --output out/lora
"""

import sys

from pipelines.cli import run
from pipelines.import_lora import ImportConfig, import_lora

if __name__ == "__main__":
    sys.exit(run(import_lora, ImportConfig, __doc__))
