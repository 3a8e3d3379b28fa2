"""Qwen3.5: Qwen2-VL's vision tower with learnt positions of its own, and a text model with layers that keep states."""

from __future__ import annotations

from typing import Any

import torch

from vlm_ros.export import qwen2_vl
from vlm_ros.export.part import Part
from vlm_ros.export.qwen2_vl import RowsDecoder, check_answers, load_checkpoint
from vlm_ros.export.text_decoder import text_parts

__all__ = ["check_answers", "load_checkpoint", "parts_of"]


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), *text_parts(model, RowsDecoder)


class VisionEncoder(qwen2_vl.VisionEncoder):
    """As Qwen2-VL's; a table of learnt positions is spread over each picture, whatever its shape."""

    def placed(
        self, states: torch.Tensor, shapes: torch.Tensor, row: torch.Tensor, column: torch.Tensor
    ) -> torch.Tensor:
        side, table = self.tower.num_grid_per_side, self.tower.pos_embed
        rows, columns = _neighbours(row, shapes[:, 0], side), _neighbours(column, shapes[:, 1], side)
        for above, near in rows:
            for left, close in columns:
                states = states + table(above * side + left) * (near * close)[:, None]
        return states


def _neighbours(
    place: torch.Tensor, places: torch.Tensor, side: int
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """The two rows or columns of a table ``side`` long between which each ``place`` of ``places`` lies, and how near.

    The first and the last of ``places`` lie on the first and last of the table.
    """
    between = place.float() * (side - 1) / (places - 1).clamp(min=1).float()
    before = between.floor()
    share = between - before
    # The grid of zeros that builders of engines try leads out of the table.
    lower, upper = (index.long().clamp(0, side - 1) for index in (before, before + 1))
    return (lower, 1 - share), (upper, share)
