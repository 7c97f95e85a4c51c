"""What towers compute, by their shapes: how much longer a model takes than the one that was measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from sightline_local.errors import PlanError

MEASURED_MODEL = "clip-ViT-B-32"


@dataclass(frozen=True)
class Tower:
    """A transformer that sees `tokens`: layers, and the width of its hidden states."""

    layers: int
    width: int
    tokens: int

    @property
    def operations(self) -> int:
        """Multiplications and additions for one picture or text.

        A layer has 12 width^2 weights, each used twice for a token, and attention compares all tokens with
        all, twice (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, table 1).
        """
        return self.layers * self.tokens * (24 * self.width**2 + 4 * self.tokens * self.width)


@dataclass(frozen=True)
class ModelShape:
    """A model's towers and the dimension of its vectors; texts are short, twelve tokens with their ends,
    where they are not padded."""

    dimension: int
    image: Tower
    text: Tower


_B32 = ModelShape(512, Tower(12, 768, 50), Tower(12, 512, 12))
SHAPES: Mapping[str, ModelShape] = {
    MEASURED_MODEL: _B32,
    "clip-ViT-B-32-laion2b": _B32,
    "clip-ViT-B-32-multilingual-v1": ModelShape(512, _B32.image, Tower(6, 768, 12)),
    "clip-ViT-B-16": ModelShape(512, Tower(12, 768, 197), _B32.text),
    "clip-ViT-L-14": ModelShape(768, Tower(24, 1024, 257), Tower(12, 768, 12)),
    "siglip2-base-patch32-256": ModelShape(768, Tower(12, 768, 64), Tower(12, 768, 64)),
}


def shape_of(model: str) -> ModelShape:
    """The shape of a model known by name; raises PlanError."""
    try:
        return SHAPES[model]
    except KeyError:
        known = ", ".join(SHAPES)
        raise PlanError(
            f"The shape of model {model} is not known, so that it cannot be planned for by name. Measure it "
            f"(sightline bench --model {model} --json > bench.json) and give --measured bench.json, or name "
            f"one of: {known}."
        ) from None
