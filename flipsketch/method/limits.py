"""What can be asked of a model, told from its configuration before anything is loaded: as many
steps as its noise schedule has timesteps for."""

from dataclasses import dataclass
from pathlib import Path

from flipsketch.models.headers import COPY, read_settings

# Of schedules that do not say, as in diffusers.
USUAL_TIMESTEPS = 1000


@dataclass(frozen=True)
class Limits:
    num_timesteps: int
    """Of the noise schedule that the model was trained with."""

    def check_steps(self, num_steps: int, name: str = "num_inference_steps") -> None:
        """Raise ValueError if the schedule has no timesteps for so many steps.

        Args:
            name: of the setting.
        """
        check_steps(num_steps, self.num_timesteps, name)


def read_limits(folder: Path) -> Limits:
    """Return what can be asked of the model in a folder.

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
    return Limits(num_timesteps)


def check_steps(num_steps: int, num_timesteps: int, name: str = "num_inference_steps") -> None:
    """Raise ValueError unless a schedule has a timestep for each step, and one before the first:
    with as many steps as timesteps the last one lies beyond its end."""
    if not 1 <= num_steps < num_timesteps:
        raise ValueError(
            f"{name} must lie between 1 and {num_timesteps - 1}, one fewer than the "
            f"{num_timesteps} timesteps of the model's noise schedule, got {num_steps}; give fewer"
        )
