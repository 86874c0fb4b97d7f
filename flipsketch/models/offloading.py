"""Networks that take turns on a device: the weights of those that do not work wait on the host.

Weights are frozen, so the host's own stay good, and leaving the device is letting go of the copy.
Accelerate's hooks would copy them back, and one tensor at a time: that parts weights which kernels
keep side by side in memory (`attention.join_weights`), after which other kernels run and last
digits change. Here a block of memory moves as it is, so results are the same to the last bit.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


class HostWeights:
    """A network's weights on the host, and their copies while it works on a device."""

    def __init__(self, network: nn.Module) -> None:
        self.places: list[tuple[dict[str, Any], str, Tensor]] = [
            (tensors, name, tensor)
            for module in network.modules()
            for tensors in (module._parameters, module._buffers)
            for name, tensor in tensors.items()
            if tensor is not None
        ]
        self.is_away = False

    def move(self, device: torch.device) -> None:
        blocks: dict[int, torch.UntypedStorage] = {}
        # One that several layers share stays one.
        copies: dict[int, Tensor] = {}
        for tensors, name, tensor in self.places:
            if id(tensor) not in copies:
                copy = copy_block(tensor, device, blocks)
                is_weight = isinstance(tensor, nn.Parameter)
                copies[id(tensor)] = nn.Parameter(copy, requires_grad=False) if is_weight else copy
            tensors[name] = copies[id(tensor)]
        self.is_away = True

    def return_home(self) -> None:
        for tensors, name, tensor in self.places:
            tensors[name] = tensor
        self.is_away = False


def copy_block(
    tensor: Tensor, device: torch.device, blocks: dict[int, torch.UntypedStorage]
) -> Tensor:
    """Return a tensor's copy on a device, in a copy of the whole block of memory that it lies in.

    Args:
        blocks: copies, by where the block itself lies.
    """
    block = tensor.untyped_storage()
    if block.data_ptr() not in blocks:
        whole = torch.empty(0, dtype=torch.uint8).set_(block, 0, (block.nbytes(),), (1,))
        blocks[block.data_ptr()] = whole.to(device, copy=True).untyped_storage()
    copy = torch.empty(0, dtype=tensor.dtype, device=device)
    copied = blocks[block.data_ptr()]
    return copy.set_(copied, tensor.storage_offset(), tensor.size(), tensor.stride())


class Turns:
    """Brings networks to a device, one group at a time, when they or their parts are called."""

    def __init__(self, networks: Iterable[nn.Module], device: torch.device) -> None:
        """Each of the networks, which are on the host, is a group of its own."""
        self.device = device
        self.weights = {network: HostWeights(network) for network in networks}
        self.groups = [{network} for network in self.weights]
        for network in self.weights:
            vars(network)["turns"] = self
            # A VAE is called by its halves; a shallow copy of a UNet (`feature_cache`) has the
            # UNet's own hooks and layers.
            for module in (network, *network.children()):
                module.register_forward_pre_hook(partial(self.before_call, network))

    def before_call(self, network: nn.Module, module: nn.Module, given: Any) -> None:
        if not self.weights[network].is_away:
            self.bring(network)

    def bring(self, network: nn.Module) -> None:
        (group,) = (group for group in self.groups if network in group)
        leaving = [
            weights
            for other, weights in self.weights.items()
            if weights.is_away and other not in group
        ]
        for weights in leaving:
            weights.return_home()
        if leaving and self.device.type == "cuda":
            # PyTorch keeps what the others took, in blocks that seldom suit this network.
            torch.cuda.empty_cache()
        self.weights[network].move(self.device)

    def join(self, *networks: nn.Module) -> None:
        """Let networks that are called in every step be on the device together."""
        joined = set(networks)
        others = (group - joined for group in self.groups)
        self.groups = [*filter(None, others), joined]


def take_turns(networks: Iterable[nn.Module], device: str | torch.device) -> Turns:
    """Have frozen networks, which are on the host, work on a device and be there one at a time."""
    return Turns(networks, torch.device(device))


def turns_of(network: nn.Module) -> Turns | None:
    """Return the turns that a network takes; None if it stays where it is."""
    turns: Turns | None = vars(network).get("turns")
    return turns


def device_of(network: Any) -> torch.device:
    """Return where a network works, which is not where its weights wait."""
    turns = turns_of(network)
    device: torch.device = network.device if turns is None else turns.device
    return device
