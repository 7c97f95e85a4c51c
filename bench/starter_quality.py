"""How well a model finds captioned photos by their captions: R@1, R@5 and the median rank.

    python -m bench.starter_quality --model .cache/models/starter --set gcompris
    python -m bench.starter_quality --model DIR --pictures FOLDER     (NAME.jpg with NAME.txt beside it)

Every distinct caption is one query, searched among all pictures; it is answered at rank r when the
first picture of that caption is the r-th. Figures over pictures count a caption once for each picture
that has it.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from bench.captioned import Captioned, gcompris, own_folder, stamps
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.settings import Precision

_SETS = {"gcompris": gcompris, "stamps": stamps}
_Z_95 = 1.96


@dataclass(frozen=True)
class Quality:
    """Ranks (from 1) of the first right picture, one for each caption and one for each picture."""

    by_caption: tuple[int, ...]
    by_picture: tuple[int, ...]


def quality(encoder: Encoder, photos: Sequence[Captioned]) -> Quality:
    """Search every caption among all pictures."""
    captions = [photo.caption for photo in photos]
    distinct = sorted(set(captions))
    scores = encoder.encode_texts(distinct) @ encoder.encode_images([photo.picture for photo in photos]).T
    right = np.array(distinct)[:, None] == np.array(captions)[None]
    best = np.where(right, scores, -np.inf).max(1, keepdims=True)
    ranks = dict(zip(distinct, (1 + (scores > best).sum(1)).tolist(), strict=True))
    return Quality(tuple(ranks.values()), tuple(ranks[caption] for caption in captions))


def recall(ranks: Sequence[int], k: int) -> tuple[float, float, float]:
    """R@k with its 95 % interval (Wilson 1927)."""
    n = len(ranks)
    share = sum(rank <= k for rank in ranks) / n
    centre = (share + _Z_95**2 / (2 * n)) / (1 + _Z_95**2 / n)
    half = _Z_95 / (1 + _Z_95**2 / n) * sqrt(share * (1 - share) / n + _Z_95**2 / (4 * n**2))
    return share, centre - half, centre + half


def summary(ranks: Sequence[int]) -> dict[str, Any]:
    """The figures of one list of ranks."""
    return {
        "queries": len(ranks),
        "recall_at_1": recall(ranks, 1),
        "recall_at_5": recall(ranks, 5),
        "median_rank": float(np.median(ranks)),
    }


def as_text(figures: dict[str, Any]) -> str:
    """The figures for a reader."""
    lines = [f"{figures['space']} on {figures['numerics']}: {figures['pictures']} pictures"]
    for unit in ("by_caption", "by_picture"):
        one = figures[unit]
        shares = [
            f"R@{k} {share:.3f} [{low:.3f}, {high:.3f}]"
            for k, (share, low, high) in ((1, one["recall_at_1"]), (5, one["recall_at_5"]))
        ]
        lines.append(
            f"  {unit}: {one['queries']} queries, {', '.join(shares)}, median rank {one['median_rank']:g}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the figures of one model on one set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of a model artifact")
    parser.add_argument("--set", choices=_SETS, default="gcompris", help="Debian package to take photos from")
    parser.add_argument("--pictures", type=Path, help="a folder of your own instead")
    parser.add_argument("--precision", type=Precision, choices=list(Precision), default=Precision.AUTO)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--cache", type=Path, default=Path(".cache/captioned"))
    arguments = parser.parse_args()
    photos = list(
        own_folder(arguments.pictures) if arguments.pictures else _SETS[arguments.set](arguments.cache)
    )
    encoder = OpenVinoEncoder(open_artifact(arguments.model), arguments.precision)
    found = quality(encoder, photos)
    figures = {
        "space": encoder.manifest.space,
        "numerics": encoder.numerics,
        "pictures": len(photos),
        "by_caption": summary(found.by_caption),
        "by_picture": summary(found.by_picture),
    }
    print(json.dumps(figures) if arguments.json else as_text(figures))


if __name__ == "__main__":
    main()
