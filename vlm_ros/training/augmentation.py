"""What cameras do to pictures: exposure, tint, contrast and noise, and the mirror."""

from __future__ import annotations

import torch
from torch import Tensor

from vlm_ros.core.percept import Bearing

_MIRRORED = torch.tensor([[Bearing.RIGHT, Bearing.CENTER, Bearing.LEFT].index(bearing) for bearing in Bearing])


def mirrored(images: Tensor, objects: Tensor, patches: Tensor, flip: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The views with those of ``flip`` (B,) seen in a mirror: left becomes right in pictures and truths."""
    side = int(patches.shape[-1] ** 0.5)
    grid = patches.unflatten(-1, (side, side))
    images = torch.where(flip[:, None, None, None], images.flip(2), images)
    grid = torch.where(flip[:, None, None, None], grid.flip(3), grid)
    bearing = torch.where(flip[:, None], _MIRRORED.to(objects.device)[objects[:, :, 3]], objects[:, :, 3])
    objects = torch.cat([objects[:, :, :3], bearing[:, :, None], objects[:, :, 4:]], -1)
    return images, objects, grid.flatten(-2)


def exposed(images: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) in 0..255 as (B, 3, H, W) in 0..1, each with an exposure, a tint and a noise of its own."""
    pixels = pixels_from_images(images)
    count = len(pixels)

    def drawn(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.empty(count, channels, 1, 1, device=pixels.device).uniform_(low, high)

    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = (pixels - mean) * drawn(0.8, 1.2) + mean
    pixels = pixels * drawn(0.75, 1.25) * drawn(0.95, 1.05, 3)
    pixels = pixels + torch.randn_like(pixels) * drawn(0.0, 0.03)
    return pixels.clamp(0, 1)


def pixels_from_images(images: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) in 0..255 as (B, 3, H, W) in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255


def normalised(pixels: Tensor) -> Tensor:
    """Pictures in 0..1 as the model's preprocessor normalises them (mean and deviation 0.5)."""
    return (pixels - 0.5) / 0.5
