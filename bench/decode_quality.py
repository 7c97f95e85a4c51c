"""What the shortcuts of decoding cost: the pipeline against a full decode, seen by a trained network.

    python -m bench.decode_quality --model .cache/models/starter

Real photos (those of GCompris, or a folder of one's own) are stored as phones do, as JPEG lying on its side
with an EXIF orientation, their short side three to eight times what the network sees. Each is decoded fully
and by the pipeline, and both are encoded in float32: the cosine of the two vectors at its 1st percentile,
and how many of a photo's ten nearest neighbours stay the same (overlap@10, mean). Two controls must
fail: no rotation, and a JPEG decoded to no more than once the network's size. Random weights would be
blind to all of this.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from bench.captioned import gcompris, own_folder
from bench.decode_ways import CONTROLS, Decode, as_phones_store, full, pipeline
from sightline.encoder import Vectors
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.settings import Precision

LOWEST_COSINE = 0.995
"""At the 1st percentile."""
LOWEST_OVERLAP = 0.97
NEIGHBOURS = 10


@dataclass(frozen=True)
class Agreement:
    """How near the vectors of the same photos are."""

    cosine_p1: float
    cosine_mean: float
    overlap_at_10: float

    @property
    def is_enough(self) -> bool:
        """Whether the shortcuts cost little enough."""
        return self.cosine_p1 >= LOWEST_COSINE and self.overlap_at_10 >= LOWEST_OVERLAP


def agreement(found: Vectors, expected: Vectors) -> Agreement:
    """Compare vectors of the same photos, row by row."""
    cosines = (found * expected).sum(1)
    pairs = zip(_neighbours(found), _neighbours(expected), strict=True)
    overlap = np.mean([len(set(one) & set(other)) / NEIGHBOURS for one, other in pairs])
    return Agreement(float(np.percentile(cosines, 1)), float(cosines.mean()), float(overlap))


def _neighbours(vectors: Vectors) -> list[list[int]]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    nearest: list[list[int]] = np.argsort(-scores, axis=1)[:, :NEIGHBOURS].tolist()
    return nearest


def load_photos(pictures: Path | None, count: int, cache: Path) -> list[Image.Image]:
    """The first photos of the folder `pictures`, or of GCompris, which is fetched once."""
    captioned = own_folder(pictures) if pictures else gcompris(cache)
    return [one.picture for one in islice(captioned, count)]


def measure(model: Path, photos: Sequence[Image.Image]) -> dict[str, Any]:
    """How near the pipeline, and each control, come to a full decode."""
    encoder = OpenVinoEncoder(open_artifact(model), Precision.F32)
    spec = encoder.manifest.preprocessing
    files = as_phones_store(photos, spec.size)

    def encoded(decode: Decode) -> Vectors:
        return encoder.encode_views(np.stack([decode(data, spec) for data in files]))

    expected = encoded(full)
    ways = {"pipeline": pipeline, **CONTROLS}
    found = {name: agreement(encoded(decode), expected) for name, decode in ways.items()}
    return {"photos": len(photos), "ways": {name: asdict(one) for name, one in found.items()}}


def is_right(found: dict[str, Any]) -> bool:
    """Whether the pipeline is good enough, and every control is noticed."""
    enough = {name: Agreement(**one).is_enough for name, one in found["ways"].items()}
    return enough["pipeline"] and not any(enough[name] for name in CONTROLS)


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    title = f"{found['photos']} photos; wanted: cosine p1 >= {LOWEST_COSINE}, overlap@10 >= {LOWEST_OVERLAP}"
    table = Table("decoded by", "cosine p1", "cosine mean", "overlap@10", "", title=title)
    for name, one in found["ways"].items():
        figures = (f"{one[key]:.4f}" for key in ("cosine_p1", "cosine_mean", "overlap_at_10"))
        table.add_row(name, *figures, "enough" if Agreement(**one).is_enough else "too little")
    return [table]


def main() -> int:
    """Print the figures; 1 when the pipeline loses too much, or a control goes unnoticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", type=Path, default=Path(".cache/models/starter"), help="trained, in float32"
    )
    parser.add_argument("--pictures", type=Path, help="a folder of your own instead (with NAME.txt beside)")
    parser.add_argument("--photos", type=int, default=257)
    parser.add_argument("--cache", type=Path, default=Path(".cache/captioned"))
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    photos = load_photos(options.pictures, options.photos, options.cache)
    found = measure(options.model, photos)
    if options.json:
        print(json.dumps(found))
    else:
        for table in tables(found):
            Console().print(table)
    return 0 if is_right(found) else 1


if __name__ == "__main__":
    sys.exit(main())
