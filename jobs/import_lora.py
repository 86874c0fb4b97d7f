#!/usr/bin/env python
r"""Import the published FlipSketch adapter (pickled matrices without names) in peft's format.

Every module is checked by count, order and shape; nothing in the files is executed.

    python jobs/import_lora.py --unet lora_unet.pt --model damo-vilab/text-to-video-ms-1.7b \
        --output out/lora
"""

import sys

from pipelines.cli import run
from pipelines.import_lora import ImportConfig, import_lora

if __name__ == "__main__":
    sys.exit(run(import_lora, ImportConfig, __doc__))
