import torch

from flipsketch.method.alignment import LEARNING_RATE, align_frames
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.video_model import load_model, predict_noise

NUM_UPDATES = 3


def alignment_case(model, rows: int = 2):
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(rows, 4, 4, 8, 8, generator=generator, dtype=model.latents_dtype)
    reference_frame = torch.randn(rows, 4, 1, 8, 8, generator=generator, dtype=model.latents_dtype)
    t = torch.tensor(801)
    null_embeds = model.encode_prompts([""] * rows)
    with torch.no_grad():
        target = predict_noise(model.unet, reference_frame, t, null_embeds)
    prompt_embeds = model.encode_prompts(["a cat", "a dog", "a fish"][:rows])
    latents = torch.cat([reference_frame, latents[:, :, 1:]], dim=2)
    return model.unet, latents, target, t, prompt_embeds, NUM_UPDATES


@torch.no_grad()
def joint_loss(unet, latents, target, t, prompt_embeds):
    noise_pred = predict_noise(unet, latents, t, prompt_embeds)
    return (noise_pred[:, :, :1] - target).square().mean(dim=(1, 2, 3, 4))


def test_alignment_lowers_the_loss_of_every_row(tiny_model64):
    unet, latents, target, t, embeds, _ = alignment_case(tiny_model64)
    aligned = align_frames(unet, latents, target, t, embeds, NUM_UPDATES)
    before = joint_loss(unet, latents, target, t, embeds)
    assert (joint_loss(unet, aligned, target, t, embeds) < before).all()


def test_frame_0_is_the_reference_and_the_others_move_a_little(tiny_model64):
    unet, latents, target, t, embeds, _ = alignment_case(tiny_model64)
    aligned = align_frames(unet, latents, target, t, embeds, NUM_UPDATES)
    assert torch.equal(aligned[:, :, :1], latents[:, :, :1])
    moved = (aligned - latents)[:, :, 1:].abs().max()
    # Adam moves a value by about its rate in each update.
    assert 0 < moved <= 1.1 * NUM_UPDATES * LEARNING_RATE


def test_no_weight_gets_a_gradient_even_if_it_wants_one(tiny_model):
    tiny_model.unet.requires_grad_(True)
    align_frames(*alignment_case(tiny_model))
    assert all(parameter.grad is None for parameter in tiny_model.unet.parameters())


def test_checkpointing_changes_no_bit_and_is_undone(any_folder):
    model = load_model(any_folder)
    case = alignment_case(model)
    plain = align_frames(*case)
    with checkpoint_gradients(model.unet):
        checkpointed = align_frames(*case)
    assert torch.equal(plain, checkpointed)
    assert not any("forward" in vars(module) for module in model.unet.modules())


def test_checkpointing_saves_memory(any_folder):
    """Count the bytes that autograd keeps for the backward pass."""
    unet, latents, _, t, embeds, _ = alignment_case(load_model(any_folder))

    def kept_bytes(enabled: bool) -> int:
        kept = []
        leaf = latents.clone().requires_grad_()
        with (
            checkpoint_gradients(unet, enabled),
            torch.autograd.graph.saved_tensors_hooks(
                lambda tensor: (kept.append(tensor.nbytes), tensor)[1], lambda tensor: tensor
            ),
        ):
            predict_noise(unet, leaf, t, embeds)
        return sum(kept)

    assert kept_bytes(True) < kept_bytes(False) / 3
