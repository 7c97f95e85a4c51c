"""What the shortcuts of decoding cost: the pipeline against a full decode, seen by a trained network.

    python bench/decode_quality.py --model .cache/models/starter

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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from captioned import gcompris, own_folder
from PIL import ExifTags, Image, ImageOps

from sightline.decoder.task import DecodePlan, decode_picture
from sightline.encoder import Vectors, Views
from sightline.encoder.artifact import Preprocessing, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.preprocessing import prepare
from sightline.pictures import PictureLimits
from sightline.settings import Precision

LOWEST_COSINE = 0.995
"""At the 1st percentile."""
LOWEST_OVERLAP = 0.97
NEIGHBOURS = 10
_LIMITS = PictureLimits(max_bytes=128 << 20, max_pixels=250_000_000)
_THUMBNAIL_SIDE = 384
_ENLARGED = (3.0, 8.0)

Decode = Callable[[bytes, Preprocessing], Views]


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


def as_phones_store(photos: Sequence[Image.Image], size: int) -> list[bytes]:
    """The photos, enlarged, as JPEG files of quality 90 that lie on their side."""
    chance = np.random.default_rng(7)
    return [_lying(photo, size * chance.uniform(*_ENLARGED)) for photo in photos]


def _lying(photo: Image.Image, short_side: float) -> bytes:
    scale = max(short_side / min(photo.size), 1.0)
    width, height = (round(length * scale) for length in photo.size)
    enlarged = photo.resize((width, height), Image.Resampling.LANCZOS)
    exif, encoded = Image.Exif(), BytesIO()
    exif[ExifTags.Base.Orientation] = 6
    enlarged.transpose(Image.Transpose.ROTATE_90).save(encoded, "JPEG", quality=90, exif=exif)
    return encoded.getvalue()


def full(data: bytes, spec: Preprocessing) -> Views:
    """Every pixel, upright: what the pipeline is measured against."""
    with Image.open(BytesIO(data)) as file:
        return prepare(ImageOps.exif_transpose(file).convert("RGB"), spec)


def pipeline(data: bytes, spec: Preprocessing) -> Views:
    """What a decode process makes of a file."""
    return decode_picture(data, DecodePlan(_LIMITS, spec, _THUMBNAIL_SIDE), thumbnail=True).views


def without_rotation(data: bytes, spec: Preprocessing) -> Views:
    """Control: the orientation is ignored."""
    with Image.open(BytesIO(data)) as file:
        return prepare(file.convert("RGB"), spec)


def drafted_once(data: bytes, spec: Preprocessing) -> Views:
    """Control: the smallest of JPEG's scales that is no smaller than the network's size."""
    with Image.open(BytesIO(data)) as file:
        file.draft(None, (spec.size, spec.size))
        return prepare(ImageOps.exif_transpose(file).convert("RGB"), spec)


CONTROLS: dict[str, Decode] = {"no rotation": without_rotation, "drafted to 1x": drafted_once}


def measure(model: Path, photos: Sequence[Image.Image]) -> dict[str, Agreement]:
    """How near the pipeline, and each control, come to a full decode."""
    encoder = OpenVinoEncoder(open_artifact(model), Precision.F32)
    spec = encoder.manifest.preprocessing
    files = as_phones_store(photos, spec.size)

    def encoded(decode: Decode) -> Vectors:
        return encoder.encode_views(np.stack([decode(data, spec) for data in files]))

    expected = encoded(full)
    return {
        name: agreement(encoded(decode), expected)
        for name, decode in {"pipeline": pipeline, **CONTROLS}.items()
    }


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
    captioned = own_folder(options.pictures) if options.pictures else gcompris(options.cache)
    photos = [one.picture for one in captioned][: options.photos]
    found = measure(options.model, photos)
    if options.json:
        print(json.dumps({"photos": len(photos)} | {name: asdict(one) for name, one in found.items()}))
    else:
        print(f"{len(photos)} photos; wanted: cosine >= {LOWEST_COSINE}, overlap@10 >= {LOWEST_OVERLAP}")
        for name, one in found.items():
            print(
                f"  {name:14} cosine p1 {one.cosine_p1:.4f}, mean {one.cosine_mean:.4f}, "
                f"overlap@10 {one.overlap_at_10:.3f}: {'enough' if one.is_enough else 'too little'}"
            )
    right = found["pipeline"].is_enough and not any(found[name].is_enough for name in CONTROLS)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
