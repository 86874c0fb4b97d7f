"""FlipSketch (CVPR 2025) for corpora: sketches, tensors and bytes. Never imports Ray."""
