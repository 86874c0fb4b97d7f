"""FlipSketch, section by section of the paper, and the methods it is compared with."""
