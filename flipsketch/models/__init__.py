"""Text-to-video models and LoRA adapters: find, load and save them."""
