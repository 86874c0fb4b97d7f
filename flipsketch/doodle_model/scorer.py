"""The embedded scorer: a small CLIP (Radford et al., 2021) trained on doodles and prompts."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, CLIPVisionConfig

from flipsketch.doodle_model.architecture import TEXT_WIDTH
from flipsketch.doodle_model.pixel_arrays import DoodleArrays
from flipsketch.media.contact_sheet import FRAMES_SHOWN, draw_strip, stack
from flipsketch.models.layout import text_config
from flipsketch.rng import Stream, random_state
from flipsketch.training.resumable import SimpleLearner

BATCH_SIZE = 128
LARGEST_SHIFT = 4  # pixels
NUM_SHOWN = 8


def make_clip(tokenizer: CLIPTokenizer, size: int) -> CLIPModel:
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=size,
        patch_size=8,
        projection_dim=64,
    )
    text = text_config(tokenizer, num_layers=2, width=TEXT_WIDTH)
    text.projection_dim = 64
    return CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=64)
    )


class CLIPTraining:
    """CLIP's contrastive loss on frames and prompts; all equal prompts count as matches."""

    def __init__(
        self,
        clip: CLIPModel,
        tokenizer: CLIPTokenizer,
        corpora: list[DoodleArrays],
        *,
        num_steps: int,
        device: str,
        seed: int,
    ) -> None:
        self.clip, self.corpora, self.device, self.seed = clip, corpora, device, seed
        self.tokens = [
            tokenizer(
                corpus.prompts,
                padding="max_length",
                max_length=tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            ).input_ids
            for corpus in corpora
        ]
        self.learner = SimpleLearner([clip], self.loss, num_steps=num_steps, learning_rate=1e-3)

    def loss(self, step: int) -> Tensor:
        logits, same = self.match(random_state(self.seed, Stream.SCORER_BATCH, step))
        targets = same / same.sum(dim=1, keepdim=True)
        by_frame = F.cross_entropy(logits, targets)
        return (by_frame + F.cross_entropy(logits.T, targets)) / 2

    def match(self, random: np.random.RandomState) -> tuple[Tensor, Tensor]:
        """Return logits of frames against prompts (B, B), and 1 where the prompts are equal."""
        frames, places = self.choose(random)
        pixels = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2)
        ids = torch.stack([self.tokens[which][index] for which, index in places]).to(self.device)
        out = self.clip(pixel_values=pixels.float() / 127.5 - 1, input_ids=ids)
        same = (ids[:, None] == ids[None]).all(dim=2).float()
        return out.logits_per_image, same

    def choose(self, random: np.random.RandomState) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Return frames (B, H, W, 3), and the corpus and clip of each, as indices."""
        frames, places = [], []
        for place in range(BATCH_SIZE):
            which = place % len(self.corpora)
            clips = self.corpora[which].clips
            index = random.randint(len(clips))
            frame = clips[index, random.randint(clips.shape[1])]
            # Position on the canvas hints at the subject in this corpus, but not in real sketches.
            shift = random.randint(-LARGEST_SHIFT, LARGEST_SHIFT + 1, 2)
            frames.append(np.roll(frame, shift, (0, 1)))
            places.append((which, index))
        return np.stack(frames), places

    @torch.no_grad()
    def accuracy(self) -> float:
        """Return the share of a batch's frames that rank their own prompt first."""
        with self.learner.ema.swapped_in():
            logits, same = self.match(random_state(self.seed, Stream.SCORER_VALIDATION))
        return float(same.gather(1, logits.argmax(dim=1, keepdim=True)).mean())

    @torch.no_grad()
    def draw(self) -> Image.Image:
        """Return a contact sheet: some prompts, each below the frames that match it best."""
        with self.learner.ema.swapped_in():
            logits, _ = self.match(random_state(self.seed, Stream.SCORER_VALIDATION))
        frames, places = self.choose(random_state(self.seed, Stream.SCORER_VALIDATION))
        strips = []
        for column, (which, index) in enumerate(places[:NUM_SHOWN]):
            best = logits[:, column].argsort(descending=True)[:FRAMES_SHOWN].cpu().numpy()
            strips.append(draw_strip(None, frames[best], [self.corpora[which].prompts[index]]))
        return stack(strips)
