"""How wide and how deep a LLaVA of so many parameters is."""

from __future__ import annotations

from dataclasses import dataclass

HEAD_WIDTH = 64
SIDE_PX, PATCH_PX = 224, 16
WIDEST = 8192


@dataclass(frozen=True)
class Sizes:
    """A vision tower and a Llama of the same ``width``, each a layer deep for every attention head wide.

    A width of 768 gives the tower of CLIP ViT-B/16, and 196 million parameters in all.
    """

    width: int

    @property
    def heads(self) -> int:
        """Attention heads in each layer."""
        return self.width // HEAD_WIDTH

    @property
    def layers(self) -> int:
        """Layers of the tower, and of the text model."""
        return max(2, self.heads)

    @property
    def text_inner(self) -> int:
        """Width inside a layer of the text model: Llama's 8/3, in whole heads."""
        return self.width * 8 // 3 // HEAD_WIDTH * HEAD_WIDTH

    @property
    def vocabulary(self) -> int:
        """Tokens; the usual share of a model of this size."""
        return 21 * self.width

    @property
    def image_tokens(self) -> int:
        """Tokens that a picture takes in the prompt."""
        return (SIDE_PX // PATCH_PX) ** 2

    @property
    def parameters(self) -> int:
        """Weights in all matrices; the vectors of norms and biases come to less than a thousandth of them."""
        square = self.width**2
        vision_layer = 12 * square
        text_layer = 4 * square + 3 * self.width * self.text_inner
        tables = (2 * self.vocabulary + 3 * PATCH_PX**2 + self.image_tokens + 1) * self.width
        projector = 2 * square
        return self.layers * (vision_layer + text_layer) + tables + projector


def sizes_from_parameters(parameters: float) -> Sizes:
    """The model that comes nearest to ``parameters``."""
    widths = range(HEAD_WIDTH, WIDEST + 1, HEAD_WIDTH)
    return min(map(Sizes, widths), key=lambda sizes: abs(sizes.parameters - parameters))
