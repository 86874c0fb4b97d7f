"""The stages of the embedded model: doodles to pixels, pixels to latents, and on them what the
paper's model is trained for. Each stage resumes from the files that it left."""

import json
import logging
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL

from flipsketch.doodle_model.architecture import (
    make_scheduler,
    make_text_encoder,
    make_tokenizer,
    make_unet,
)
from flipsketch.doodle_model.base import BaseStage
from flipsketch.doodle_model.curriculum import (
    DRAWN,
    LEARNT,
    LINE_DRAWING,
    NUM_FRAMES,
    SIZE,
    VAE_SEES,
    Corpus,
    draw_corpus,
    draw_scribbles,
)
from flipsketch.doodle_model.latent_arrays import encode_corpus
from flipsketch.doodle_model.pixel_arrays import DoodleArrays
from flipsketch.doodle_model.release import find_made, write_release
from flipsketch.doodle_model.scorer import BATCH_SIZE, CLIPTraining, make_clip
from flipsketch.doodle_model.session import Session
from flipsketch.doodle_model.vae import BATCH_SIZE as VAE_BATCH_SIZE
from flipsketch.doodle_model.vae import make_vae
from flipsketch.models.layout import save_parts
from flipsketch.models.registry import NO_LORA, choose_lora
from flipsketch.models.video_model import DTYPES, VideoModel, load_model
from flipsketch.storage.folder import new_folder, open_folder
from flipsketch.training.resumable import learn
from pipelines.doodle_model.adapter import AdapterStage, make_lessons, train_adapter
from pipelines.doodle_model.settings import DoodleModelConfig
from pipelines.doodle_model.stages import train_base_on, train_share, train_vae
from pipelines.execution.local_ranks import train_together

log = logging.getLogger(__name__)

VAE_STEPS = 3000


class Making:
    """The stages; each returns whether it is done."""

    def __init__(self, config: DoodleModelConfig) -> None:
        torch.set_num_threads(config.threads)
        self.config = config
        self.folder = Path(config.output)
        self.device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype: Literal["float32", "bfloat16"] = config.dtype or (
            "bfloat16" if self.device == "cuda" else "float32"
        )
        self.deadline = time.monotonic() + 60 * config.minutes

    def corpus(self, name: Corpus) -> DoodleArrays:
        config = self.config
        return draw_corpus(self.folder / "arrays", name, config.num_clips, config.threads)

    def make_vae(self) -> bool:
        config, output = self.config, self.folder / "vae" / "model"
        if output.exists():
            return True
        if config.start is not None:
            vae = load_model(config.start, lora=NO_LORA).vae.requires_grad_(True)
            if not config.vae_steps:
                with new_folder(output) as out:
                    vae.save_pretrained(out)
                return True
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.seed)
                vae = make_vae(SIZE, config.latent_channels)
        for corpus in VAE_SEES:
            self.corpus(corpus)
        draw_scribbles(self.folder / "arrays")
        self.share_out(
            VAE_BATCH_SIZE,
            train_vae,
            vae,
            self.folder / "arrays",
            VAE_STEPS if config.vae_steps is None else config.vae_steps,
            config.seed,
            output.parent,
        )
        return output.exists()

    def share_out(self, batch_size: int, work: Callable[..., None], *arguments: Any) -> None:
        """Train in as many processes as there are threads, if a batch can be shared out evenly."""
        num_ranks = self.config.threads if self.device == "cpu" else 1
        num_ranks = 1 if batch_size % num_ranks else num_ranks
        session = Session(device=self.device, deadline=self.deadline)
        train_together(num_ranks, train_share, work, session, arguments)

    def make_images(self) -> bool:
        num_steps = self.config.image_steps
        return num_steps == 0 or self.make_base("images", 1, num_steps, self.folder / "new")

    def make_video(self) -> bool:
        start = self.folder / ("images/model" if self.config.image_steps else "new")
        return self.make_base("video", NUM_FRAMES, self.config.clip_steps, start)

    def batch_size(self, num_frames: int) -> int:
        return self.config.batch_size * (4 if num_frames == 1 else 1)

    def make_base(self, name: str, num_frames: int, num_steps: int, start: Path) -> bool:
        """The base model on doodles in colours and on sketches: on single frames first, then on
        clips."""
        output = self.folder / name / "model"
        if output.exists():
            return True
        vae = AutoencoderKL.from_pretrained(find_made(self.folder, "vae"))
        latents: list[Path] = []
        prompts: list[str] = []
        for corpus in LEARNT:
            # With the VAE, so that another one cannot be given them.
            latents.append(self.folder / "vae" / f"{corpus}.npy")
            drawn = self.corpus(corpus)
            encode_corpus(vae.eval().to(self.device), drawn, latents[-1], self.device)
            before = "" if corpus == "plain" else LINE_DRAWING
            prompts += [before + prompt for prompt in drawn.prompts]
        if start == self.folder / "new":
            if not start.exists():
                self.write_start(vae.cpu(), prompts, start)
        elif not start.exists():
            raise ValueError(f"{self.folder}: run the stage images first, or add --image-steps 0")
        stage = BaseStage(
            num_frames=num_frames,
            num_steps=num_steps,
            batch_size=self.batch_size(num_frames),
            learning_rate=self.config.learning_rate,
            dtype=DTYPES[self.dtype],
            validation_steps=self.config.validation_steps,
            seed=self.config.seed,
        )
        self.share_out(
            stage.batch_size, train_base_on, latents, start, prompts, stage, output.parent
        )
        return output.exists()

    def write_start(self, vae: AutoencoderKL, prompts: list[str], output: Path) -> None:
        """Write what the base model starts from: the given model, or a new one of which only the
        VAE is trained."""
        if self.config.start is not None:
            model = load_model(self.config.start, lora=NO_LORA)
        else:
            seen = (prompts, self.corpus("filled").prompts, self.corpus("sketch").prompts)
            every_prompt = sorted({prompt for some in seen for prompt in some})
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.config.seed)
                tokenizer = make_tokenizer(every_prompt)
                encoder = make_text_encoder(tokenizer)
                unet = make_unet(SIZE // 4, self.config.latent_channels)
            model = VideoModel(unet, vae, encoder, tokenizer, make_scheduler())
        with new_folder(output) as out:
            save_parts(model, out, "A beginning.\n")

    @property
    def first_lora(self) -> str | None:
        """The adapter to continue from."""
        return self.config.start and choose_lora(self.config.start, None)

    def make_lora(self) -> bool:
        """The sketch adapter."""
        config, model = self.config, find_made(self.folder, "video")
        if not make_lessons(self.folder, config.lora_clips, config.threads):
            return False
        stage = AdapterStage(
            lora=self.first_lora,
            num_steps=config.lora_steps,
            batch_size=config.batch_size,
            device=self.device,
            dtype=self.dtype,
            threads=config.threads,
            validation_steps=config.validation_steps,
            seed=config.seed,
        )
        return train_adapter(model, self.folder, stage)

    def make_scorer(self) -> bool:
        """The scorer."""
        if (self.folder / "scorer" / "model").exists():
            return True
        model = load_model(find_made(self.folder, "video"), lora=NO_LORA)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            clip = make_clip(model.tokenizer, SIZE).to(self.device)
        training = CLIPTraining(
            clip,
            model.tokenizer,
            [self.corpus("filled"), self.corpus("sketch")],
            num_steps=self.config.scorer_steps,
            device=self.device,
            seed=self.config.seed,
        )
        folder = open_folder(str(self.folder / "scorer"))
        num_steps = self.config.scorer_steps
        losses = learn(
            folder, training.learner, num_steps, deadline=self.deadline, draw=training.draw
        )
        if len(losses) < num_steps:
            return False
        with training.learner.ema.swapped_in(), new_folder(self.folder / "scorer" / "model") as out:
            clip.save_pretrained(out)
            model.tokenizer.save_pretrained(out)
            facts = {"batch": BATCH_SIZE, "accuracy": training.accuracy()}
            (out / "accuracy.json").write_text(json.dumps(facts) + "\n")
        log.info("a frame's own prompt comes first of %(batch)d in %(accuracy).2f of them", facts)
        return True

    def make_release(self) -> bool:
        """What is shipped; an earlier release of this folder gives way to it."""
        config, folder = self.config, self.folder
        both = "frames of doodles in both looks"
        base = (
            f"{config.num_clips // 4:,} doodles in colours, {config.num_clips:,} sketches of these "
            f"subjects and as many of anything"
        )
        goes_on = ", from the adapter before it on" if self.first_lora else ""
        facts = {
            "vae": (f"{both}, and scribbles", "12 frames"),
            "images": (f"{base}, frame by frame", f"{self.batch_size(1)} frames"),
            "video": (
                f"{base}, seven in ten with an inverted first frame",
                f"{config.batch_size} clips",
            ),
            "lora": (
                f"{config.lora_clips:,} sketch doodles of anything{goes_on}",
                f"{config.batch_size} clips",
            ),
            "scorer": (both, f"{BATCH_SIZE} frames"),
        }
        hardware = describe_hardware(self.device, config.threads)
        write_release(folder, facts, hardware=hardware, subjects=DRAWN, start=config.start)
        return True


def describe_hardware(device: str, threads: int) -> str:
    if device == "cuda":
        return f"one {torch.cuda.get_device_name()}"
    return f"{threads} threads of a CPU ({platform.machine()})"
