"""The captioned pictures of a folder as points, decoded and encoded as an embedder does it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import Encoder
from sightline.encoder.preprocessing import prepare
from sightline.errors import BadPicture
from sightline.identity import point_id, sha256_of_file, source_key
from sightline.index import Point
from sightline.payload import FirstIndexed, Payload, Source
from sightline.pictures import PictureInfo, PictureLimits, open_picture
from sightline_embedder.models.captioned import captioned_files
from sightline_local.errors import EvaluationError

_AT_ONCE = 32
_JOB = "eval"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class CaptionedPoints:
    """The points of a folder, and a line for each file that could not be decoded."""

    points: Sequence[Point]
    left_out: Sequence[str]


@dataclass(frozen=True)
class _Prepared:
    """A picture and the files that have it; `views` is uint8, shape (views, size, size, 3)."""

    sha256: str
    info: PictureInfo
    views: NDArray[np.uint8]
    files: Sequence[Path]


def encode_captioned(
    folder: Path, encoder: Encoder, limits: PictureLimits, progress: Progress = lambda _: None
) -> CaptionedPoints:
    """Decode and encode every captioned picture of a folder once, whatever its number of files.

    Raises EvaluationError if none of them can be decoded.
    """
    left_out: list[str] = []
    points: list[Point] = []
    contents = list(_by_content(folder).items())
    for start in range(0, len(contents), _AT_ONCE):
        some = list(_prepared(contents[start : start + _AT_ONCE], encoder, limits, left_out.append))
        if some:
            vectors = encoder.encode_views(np.stack([one.views for one in some]))
            points += [_point(one, vector, encoder) for one, vector in zip(some, vectors, strict=True)]
        progress(f"{len(points)} of {len(contents)} pictures encoded")
    if not points:
        raise EvaluationError(
            f"None of the captioned pictures in {folder} can be decoded. The first: {left_out[0]}"
        )
    return CaptionedPoints(points, left_out)


def _prepared(
    contents: Sequence[tuple[str, Sequence[Path]]],
    encoder: Encoder,
    limits: PictureLimits,
    leave_out: Callable[[str], None],
) -> Iterator[_Prepared]:
    spec = encoder.manifest.preprocessing
    for sha256, files in contents:
        try:
            picture = open_picture(files[0].read_bytes(), limits, spec.size)
        except (BadPicture, OSError) as error:
            leave_out(f"{files[0]}: {error}")
            continue
        yield _Prepared(sha256, picture.info, prepare(picture.image, spec), files)


def _by_content(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for one in captioned_files(folder):
        files.setdefault(sha256_of_file(one.path), []).append(one.path.resolve())
    return files


def _point(one: _Prepared, vector: NDArray[np.float32], encoder: Encoder) -> Point:
    now = datetime.now(UTC)
    manifest, info = encoder.manifest, one.info
    sources = {
        source_key(uri): Source(kind="folder", uri=uri) for uri in (path.as_uri() for path in one.files)
    }
    payload = Payload(
        sha256=one.sha256,
        space=manifest.space,
        model=manifest.name,
        numerics=encoder.numerics,
        format=info.format,
        width=info.width,
        height=info.height,
        bytes=info.bytes,
        indexed_at=now,
        sort_at=info.taken_at or now,
        sources=sources,
        first_indexed=FirstIndexed(job=_JOB, source=next(iter(sources))),
    )
    return Point(point_id(one.sha256), vector, payload)
