"""Make the embedded model, stage by stage; a run may be cut into slices of time."""

import logging

from flipsketch.storage.folder import open_folder
from pipelines.doodle_model.settings import DoodleModelConfig, hold_to_settings

log = logging.getLogger(__name__)


def make_doodle_model(config: DoodleModelConfig) -> int:
    """Do the stages and return the exit code: 0 if all are done, 2 if time ran out before.

    Raises:
        OSError, ValueError: a stage before is not done, or files cannot be written.
    """
    folder = open_folder(config.output)
    if not folder.is_local:
        raise ValueError(
            f"--output {config.output}: models are made on local disks alone; give a folder there, "
            f"and copy it when it is complete"
        )
    if config.start is not None:
        from flipsketch.models.inspection import inspect_model
        from flipsketch.models.registry import choose_lora, find_lora, find_model

        lora = choose_lora(config.start, None)
        inspect_model(find_model(config.start), lora=None if lora is None else find_lora(lora))
    with folder.locked():
        hold_to_settings(folder, config)

        from pipelines.doodle_model.making import Making

        making = Making(config)
        for stage in config.stages:
            log.info("stage %s", stage)
            if not getattr(making, f"make_{stage}")():
                log.info("%s is not done; rerun the same command to resume", stage)
                return 2
    return 0
