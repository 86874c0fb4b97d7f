"""One of the processes that train together: restore, train, look, save. Needs no Ray."""

import logging
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple
from datetime import timedelta
from itertools import islice

import torch
import torch.distributed as dist
from torch.utils.tensorboard import SummaryWriter

from flipsketch.corpus.dataset import TrainingClips
from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.run_folder import refuse_lost_folder
from flipsketch.media.contact_sheet import encode_png
from flipsketch.media.pixels import to_pixels
from flipsketch.method.config import model_defaults
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.kernels import PLAIN, read_kernels, use_kernels
from flipsketch.models.lora import fill_lora, save_lora
from flipsketch.models.registry import NO_LORA, find_lora, find_model
from flipsketch.models.video_model import DTYPES, VideoModel, load_model, save_model
from flipsketch.storage.folder import Folder, new_folder, open_folder
from flipsketch.training.batches import Samples
from flipsketch.training.checkpoints import load_checkpoint, load_newest, save_checkpoint
from flipsketch.training.device_latents import keep_on_device
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.latent_cache import LatentClips, open_latents
from flipsketch.training.objective import QUARTILES, trained_networks
from flipsketch.training.reports import StepReport, refuse_lost_weights
from flipsketch.training.trainer import Trainer
from flipsketch.training.validation import (
    animate_subject,
    choose_subjects,
    draw_sheet,
    read_subjects,
)
from pipelines.training.config import TrainConfig

log = logging.getLogger(__name__)

CLIPS_ENCODED = 64
MAX_ENCODING = timedelta(days=7)


class TrainingWorker:
    """What one process has of a run. All do the same steps; the first one writes."""

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device | str,
        *,
        rank: int = 0,
        num_ranks: int = 1,
        say: Callable[[str], None] = log.info,
    ) -> None:
        """
        Args:
            config: with dtype and threads resolved, and places that this process can read.
            say: is told what takes long before the first step.

        Raises:
            OSError, ValueError: the model or the shards cannot be read.
        """
        assert config.dtype and config.threads, "the driver resolves them"
        torch.set_num_threads(config.threads)
        self.config, self.rank, self.num_ranks = config, rank, num_ranks
        self.folder: Folder = open_folder(config.output)
        self.plan = read_plan(self.folder, trains=True)
        self.model = load_model(
            config.model,
            lora=NO_LORA,
            motion_adapter=config.motion_adapter,
            device=device,
            dtype=DTYPES[config.dtype],
            kernels=PLAIN,
        )
        if self.plan is not None:
            # The VAE's stay plain: the latents are for runs with other kernels too.
            use_kernels(self.model.unet, None, read_kernels(self.plan.kernels))
        clips = TrainingClips(config.shards, config.reading)
        self.trainer: Trainer | GraphTrainer
        if config.on_device:
            self.trainer = GraphTrainer(self.model, load_clips(clips, self.model), config.training)
        else:
            samples: Samples = clips
            if config.cache_latents:
                latents = self.open_cache(clips, say)
                samples = keep_on_device(latents, self.model, say if rank == 0 else ignore)
            self.trainer = Trainer(
                self.model, samples, config.training, rank=rank, num_ranks=num_ranks
            )
        if config.adapter is not None:
            fill_lora(trained_networks(self.model, config.training), find_lora(config.adapter))
        self.subjects = []
        if config.validate_every:
            self.subjects = (
                read_subjects(
                    config.sources.of(config.validation),
                    self.model.size,
                    config.num_validation,
                    darken=model_defaults(config.model).darken_sketch,
                    config=config.sketches,
                )
                if config.validation
                else choose_subjects(clips, config.num_validation)
            )
        self.history: list[StepReport] = []
        self.resume()

    def open_cache(self, clips: TrainingClips, say: Callable[[str], None]) -> LatentClips:
        """Return the latents of all clips, from a cache of this machine if they are in one."""
        config = self.config
        assert config.dtype, "the driver resolves it"
        latents = open_latents(
            clips, config.model, self.model.size, config.dtype, config.latent_cache
        )
        if not latents.is_beside:
            latents.fill(self.model, self.rank, say if self.rank == 0 else ignore)
            if self.num_ranks > 1:
                # A machine with fewer GPUs takes longer, for hours perhaps.
                dist.barrier(dist.new_group(backend="gloo", timeout=MAX_ENCODING))
        return latents

    def resume(self) -> None:
        """Resume from the newest checkpoint, which the first process chooses for all."""
        step, state = load_newest(self.folder) if self.rank == 0 else (0, None)
        if self.num_ranks > 1:
            chosen = torch.tensor(step, device=self.model.device)
            dist.broadcast(chosen, 0)
            if self.rank > 0 and (step := int(chosen)):
                state = load_checkpoint(self.folder, step)
        if state is not None:
            self.history = [StepReport(*report) for report in state.pop("history")]
            self.trainer.restore(state)

    def run(self, report: Callable[[StepReport], None]) -> None:
        """Do the steps that are left and write what was trained.

        Raises:
            FloatingPointError: the gradients are not finite.
            OSError: a checkpoint or the result cannot be written.
        """
        config, trainer = self.config, self.trainer
        writer = None
        if self.rank == 0:
            # Steps after the checkpoint, which a run that died has logged, are done again.
            logs = self.folder.join("logs")
            writer = SummaryWriter(logs, purge_step=trainer.num_done + 1, flush_secs=10)
        steps = trainer.steps(lambda step: self.validates(step) or self.saves(step))
        with (
            closing(steps),
            checkpoint_gradients(trainer.unet, config.checkpoint_gradients),
        ):
            # A run that ends before its first pictures shows what it made of them at its end.
            if trainer.num_done == 0 and config.training.num_steps >= config.validate_every:
                if writer is not None and self.subjects:
                    log.info(
                        "animating %d sketches before the first step; 0 for --validate-every "
                        "skips all pictures",
                        len(self.subjects),
                    )
                self.validate(0, writer)
            for step in steps:
                self.history.append(step)
                if self.validates(step.step):
                    self.validate(step.step, writer)
                if self.saves(step.step):
                    refuse_lost_weights(step.step, trainer.parameters)
                if writer is not None:
                    write_scalars(writer, step)
                    if self.saves(step.step):
                        self.save()
                    report(step)
        if writer is not None:
            writer.close()
            self.write_result()

    def validates(self, step: int) -> bool:
        every, is_last = self.config.validate_every, step == self.config.training.num_steps
        return every > 0 and (step % every == 0 or is_last)

    def saves(self, step: int) -> bool:
        is_last = step == self.config.training.num_steps
        return step % self.config.checkpoint_every == 0 or is_last

    def refuse_lost_folder(self) -> None:
        """Raise ValueError if the folder is no longer that of the run that began there."""
        if self.plan is not None:
            refuse_lost_folder(self.folder, self.plan.fingerprint)

    def save(self) -> None:
        self.refuse_lost_folder()
        state = {**self.trainer.state(), "history": [astuple(report) for report in self.history]}
        save_checkpoint(self.folder, self.trainer.num_done, state, self.config.keep_checkpoints)

    def validate(self, step: int, writer: SummaryWriter | None) -> None:
        """Animate the subjects, shared out among the processes, and write a picture of all."""
        if not self.subjects:
            return
        with self.trainer.averaged():
            own = [
                animate_subject(self.model, subject, self.config.validation_sampling)
                for subject in self.subjects[self.rank :: self.num_ranks]
            ]
        shares = [own]
        if self.num_ranks > 1:
            shares = [[] for _ in range(self.num_ranks)]
            dist.all_gather_object(shares, own)
        if writer is not None:
            clips = [
                shares[place % self.num_ranks][place // self.num_ranks]
                for place in range(len(self.subjects))
            ]
            sheet = draw_sheet(self.subjects, clips)
            self.folder.publish(f"samples/step-{step:06d}.png", encode_png(sheet))

    def write_result(self) -> None:
        """Write the adapter, or the model with the running means of its weights."""
        output = self.config.result_folder
        if output.exists():
            return
        self.refuse_lost_folder()
        networks = trained_networks(self.model, self.config.training)
        if self.config.training.train == "lora":
            with new_folder(output) as folder:
                save_lora(networks, folder)
        else:
            with self.trainer.averaged():
                save_model(networks, find_model(self.config.model), output)


def ignore(text: str) -> None:
    """One of the processes that do the same says how far they are."""


def load_clips(clips: TrainingClips, model: VideoModel) -> Clips:
    """Return all clips, encoded, on the model's device.

    Raises:
        ValueError: one of them is damaged, or a GPU has too little memory for all.
    """
    rows = clips.rows.to_pylist()
    longest = max(row["num_frames"] for row in rows)
    side, channels = model.size // model.vae_factor, model.vae.config.latent_channels
    shape = (len(rows), longest, channels, side, side)
    refuse_small_memory(2 * math.prod(shape), model.device)
    latents = torch.zeros(shape, dtype=torch.float16, device=model.device)
    places = iter(latents)
    read = (frames for shard in sorted(clips.shards) for _, frames in clips.read_shard(shard))
    while some := list(islice(read, CLIPS_ENCODED)):
        encoded = model.encode(torch.cat([to_pixels(each) for each in some], 2).to(model.device))
        for clip in encoded[0].transpose(0, 1).split([len(frames) for frames in some]):
            next(places)[: len(clip)] = clip
    lengths = torch.tensor([row["num_frames"] for row in rows])
    return Clips(latents, lengths, [row["prompt"] for row in rows])


def refuse_small_memory(num_bytes: int, device: torch.device) -> None:
    """Raise ValueError if the latents of all clips leave no room for training on a GPU."""
    if device.type != "cuda":
        return
    free, _ = torch.cuda.mem_get_info(device)
    if num_bytes > free / 2:
        raise ValueError(
            f"--on-device keeps the latents of all clips on the GPU, {num_bytes / 2**30:,.1f} GiB, "
            f"but {free / 2**30:,.1f} GiB are free, of which half is for the steps; leave it out, "
            f"and the latents of each batch are read ahead of it"
        )


def write_scalars(writer: SummaryWriter, report: StepReport) -> None:
    writer.add_scalar("loss", report.loss, report.step)
    writer.add_scalar("gradient norm", report.grad_norm, report.step)
    writer.add_scalar("learning rate", report.learning_rate, report.step)
    for number in range(QUARTILES):
        if count := report.quartile_counts[number]:
            mean = report.quartile_sums[number] / count
            writer.add_scalar(f"loss by noise/quarter {number + 1}", mean, report.step)
