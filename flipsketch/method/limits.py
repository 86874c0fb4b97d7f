"""What can be asked of a model, told from its configuration before anything is loaded: as many
steps as its noise schedule has timesteps for, and as many frames as its family knows the places
of."""

from dataclasses import dataclass
from pathlib import Path

from flipsketch.method.config import INVERSION_FRAMES, SamplingConfig
from flipsketch.models.families import Family, family_of, most_frames
from flipsketch.models.headers import COPY, read_settings

# Of schedules that do not say, as in diffusers.
USUAL_TIMESTEPS = 1000


@dataclass(frozen=True)
class Limits:
    family: Family
    num_timesteps: int
    """Of the noise schedule that the model was trained with."""
    max_frames: int | None
    """Of a pass of its UNet; None for any number."""

    def check(
        self, sampling: SamplingConfig, num_draft_steps: int = 0, *, inverts: bool = False
    ) -> None:
        """Raise ValueError for settings that the model cannot be asked for.

        Args:
            num_draft_steps: of Live-Sketch's draft, if there is one.
            inverts: the sketch is inverted.
        """
        if inverts:
            self.check_inversion()
        self.check_frames(sampling.num_frames)
        self.check_steps(sampling.num_inference_steps)
        if num_draft_steps > 0:
            self.check_steps(num_draft_steps, "draft_steps")

    def describe_frames(self, num_frames: int) -> str | None:
        """Return what to say of clips of another length than those that the model was trained on,
        if it has position embeddings for its frames."""
        usual = self.family.num_frames
        if self.max_frames is None or num_frames == usual or usual > self.max_frames:
            return None
        return (
            f"{self.family.title} was trained on clips of {usual} frames and draws those best; "
            f"these have {num_frames}, --num-frames {usual} gives as many"
        )

    def check_steps(self, num_steps: int, name: str = "num_inference_steps") -> None:
        """Raise ValueError if the schedule has no timesteps for so many steps.

        Args:
            name: of the setting.
        """
        check_steps(num_steps, self.num_timesteps, name)

    def check_frames(self, num_frames: int) -> None:
        """Raise ValueError if the model cannot see so many frames at once."""
        if self.max_frames is not None and num_frames > self.max_frames:
            raise ValueError(
                f"num_frames must be at most {self.max_frames} with this model, got {num_frames}: "
                f"its motion modules ({self.family.title}) have position embeddings for no more; "
                f"give fewer"
            )

    def check_inversion(self) -> None:
        """Raise ValueError if the model cannot see all copies of an inverted sketch at once."""
        if self.max_frames is not None and self.max_frames < INVERSION_FRAMES:
            raise ValueError(
                f"the sketch is inverted as {INVERSION_FRAMES} frames, but this model's motion "
                f"modules ({self.family.title}) have position embeddings for {self.max_frames} "
                f"(motion_max_seq_length); give another motion adapter"
            )


def read_limits(folder: Path, motion_adapter: Path | None = None) -> Limits:
    """Return what can be asked of the model in a folder.

    Args:
        motion_adapter: folder of the adapter that gives it its motion modules, if one does.

    Raises:
        ValueError: its configuration cannot be used.
    """
    path = folder / "scheduler" / "scheduler_config.json"
    num_timesteps = read_settings(path).get("num_train_timesteps", USUAL_TIMESTEPS)
    if isinstance(num_timesteps, bool) or not isinstance(num_timesteps, int) or num_timesteps < 1:
        raise ValueError(
            f"{path}: num_train_timesteps must be a whole number of at least 1, found "
            f"{num_timesteps!r:.80}; {COPY}"
        )
    return Limits(family_of(folder), num_timesteps, most_frames(folder, motion_adapter))


def check_steps(num_steps: int, num_timesteps: int, name: str = "num_inference_steps") -> None:
    """Raise ValueError unless a schedule has a timestep for each step, and one before the first:
    with as many steps as timesteps the last one lies beyond its end."""
    if not 1 <= num_steps < num_timesteps:
        raise ValueError(
            f"{name} must lie between 1 and {num_timesteps - 1}, one fewer than the "
            f"{num_timesteps} timesteps of the model's noise schedule, got {num_steps}; give fewer"
        )
