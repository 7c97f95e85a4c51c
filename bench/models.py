"""The models that are measured, made where they are missing: `python -m bench.models` makes them all.

Random weights in the shape of ViT-B/32 are as fast as trained ones; where quality is judged, the trained
`starter` is used. The tests keep the same models in the same cache.
"""

import sys
from pathlib import Path

from rich.console import Console

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from cached_models import clip_b32_artifact, clip_b32_weights, starter_artifact

__all__ = ["clip_b32_artifact", "clip_b32_weights", "starter_artifact"]


def main() -> None:
    """Make them and print where they are."""
    for made in (clip_b32_weights, clip_b32_artifact, starter_artifact):
        Console().print(str(made()))


if __name__ == "__main__":
    main()
