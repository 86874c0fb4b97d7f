"""Motion by dense optical flow: DIS (Kroeger et al., 2016), as OpenCV has it, without weights."""

import cv2
import numpy as np

from flipsketch.scoring.ink import ink
from flipsketch.scoring.scores import FlowScores

# VBench's dynamic degree (Huang et al., 2024) for a clip: the fastest twentieth of the pixels moves
# by more than 6 of 256 pixels in at least a quarter of the steps from frame to frame.
FASTEST, VISIBLE, DYNAMIC_STEPS = 0.05, 6 / 256, 0.25


def score_flow(frames: np.ndarray) -> FlowScores:
    """Score frames uint8 (F, H, W, 3), two of them at least."""
    inks = ink(frames)
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    height, width = inks.shape[1:]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    errors, are_visible, flows = [], [], []
    for step, (before, after) in enumerate(zip(greys[:-1], greys[1:], strict=True)):
        # From each pixel of the later frame to where it was in the one before.
        back = dis.calc(after, before, None)
        x, y = columns + back[..., 0], rows + back[..., 1]
        warped = cv2.remap(before, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, (255,))
        either = inks[step] | inks[step + 1]
        if either.any():
            errors.append(cv2.absdiff(warped, after)[either].mean() / 255)
        if inks[step + 1].any():
            flows.append(-back[inks[step + 1]].mean(axis=0))
        lengths = np.linalg.norm(back, axis=-1)
        fastest = lengths[lengths >= np.quantile(lengths, 1 - FASTEST)]
        are_visible.append(fastest.mean() > VISIBLE * min(height, width))
    flow_x, flow_y = np.mean(flows, axis=0) if flows else (0.0, 0.0)
    return FlowScores(
        warping_error=float(np.mean(errors)) if errors else 0.0,
        is_dynamic=bool(np.mean(are_visible) >= DYNAMIC_STEPS),
        flow_x=float(flow_x / width),
        flow_y=float(flow_y / height),
    )
