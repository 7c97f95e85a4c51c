"""Folders that clip-retrieval wrote: who the points are, and what is believed of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from sightline.decoder import PictureDecoder
from sightline.errors import FailureReason
from sightline.file_uri import uri_of
from sightline.identity import point_id, sha256_of_file, unread_point_id
from sightline.index import SearchQuery
from sightline.queue.jobs import Job, JobState
from sightline.queue.sources import PointsFormat, PointsSource
from sightline.settings import Settings

PICTURES = 6
SAID = "ab" * 32
Write = Callable[..., Path]


@pytest.fixture
def pictures(desk: Any) -> list[Path]:
    chance = np.random.default_rng(9)
    folder = desk.root / "pictures"
    folder.mkdir()
    paths = []
    for number in range(PICTURES):
        pixels = chance.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(pixels).resize((100, 80)).save(path)
        paths.append(path)
    return paths


@pytest.fixture
def vectors(desk: Any, pictures: list[Path]) -> Any:
    """Of each picture, as this model makes them."""
    opened = [Image.open(path) for path in pictures]
    return desk.encoder.encode_images([one.convert("RGB") for one in opened])


@pytest.fixture
def write(desk: Any) -> Write:
    """`write(vectors, rows, number)`: two files of a folder; its path."""

    def make(vectors: Any, rows: list[dict[str, Any]], number: int = 0, kind: Any = np.float16) -> Path:
        folder = desk.root / "embeddings"
        for name in ("img_emb", "metadata"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", np.asarray(vectors, dtype=kind))
        # Of columns that the first row lacks the library would take nothing.
        names = dict.fromkeys(name for row in rows for name in row)
        table = pyarrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
        pyarrow.parquet.write_table(table, folder / "metadata" / f"metadata_{number}.parquet")
        return folder  # type: ignore[no-any-return]

    return make


def imported(desk: Any, folder: Path, model: str | None = None) -> Job:
    source = PointsSource(
        path=str(folder),
        format=PointsFormat.CLIP_RETRIEVAL,
        model=model or desk.encoder.manifest.name,
    )
    return desk.run("clip", source)  # type: ignore[no-any-return]


def code(job: Job) -> str:
    assert job.state is JobState.FAILED, job
    assert job.error is not None
    return job.error.code


def test_pictures_that_can_be_read_are_those_pictures(
    desk: Any, pictures: list[Path], vectors: Any, write: Write
) -> None:
    rows = [{"image_path": str(path), "caption": f"number {path.stem}"} for path in pictures]
    folder = write(vectors[:4], rows[:4], 0)
    write(vectors[4:], rows[4:], 10)

    job = imported(desk, folder)

    assert (job.state, job.counts.indexed) == (JobState.SUCCEEDED, PICTURES)
    points = desk.points("clip")
    assert points.keys() == {point_id(sha256_of_file(path)) for path in pictures}
    first = points[point_id(sha256_of_file(pictures[0]))]
    payload = first.payload
    assert (payload.format, payload.width, payload.height) == ("png", 100, 80)
    assert payload.bytes == pictures[0].stat().st_size
    assert (payload.space, payload.numerics) == (desk.encoder.manifest.space, "clip-retrieval")
    assert payload.metadata == {"caption": "number 0"}
    assert [source.uri for source in payload.sources.values()] == [uri_of(pictures[0])]
    assert payload.perceptual_hash
    assert desk.media.read_thumbnail("clip", first.id)[:4] == b"RIFF"
    query = SearchQuery(vector=vectors[0], space=payload.space, limit=1)
    (hit,) = desk.index.search("clip", query)
    assert hit.id == first.id
    assert hit.score > 0.999
    assert imported(desk, folder).counts.unchanged == PICTURES


def test_pictures_that_nobody_can_read_say_so(desk: Any, vectors: Any, write: Write) -> None:
    rows: list[dict[str, Any]] = [
        {"url": "https://example.org/a.jpg", "width": 512, "height": 384, "similarity": float("nan")},
        {"url": "https://example.org/b.jpg", "sha256": SAID, "original_width": 4000, "original_height": 3000,
         "width": 512, "height": 384},
        {"url": "https://example.org/c.jpg", "sha256": "no hash", "exif": '{"Make": "Zeiss"}'},
        {"image_path": "000000003"},
        {"image_path": "/elsewhere/d.jpg"},
        {"key": "000000005"},
    ]  # fmt: skip
    folder = write(vectors, rows)

    assert imported(desk, folder).counts.indexed == len(rows)

    points = desk.points("clip")
    table = uri_of(folder / "metadata" / "metadata_0.parquet")
    web = points[unread_point_id("https://example.org/a.jpg")].payload
    assert (web.sha256, web.format, web.width, web.height, web.bytes) == (None, "unknown", 512, 384, None)
    assert "similarity" not in web.metadata
    said = points[point_id(SAID)].payload
    assert (said.sha256, said.width, said.bytes) == (SAID, 4000, None)
    other = points[unread_point_id("https://example.org/c.jpg")].payload
    assert (other.sha256, other.width, other.metadata["exif"]) == (None, None, '{"Make": "Zeiss"}')
    assert unread_point_id(f"{table}#row=4") in points
    assert unread_point_id("file:///elsewhere/d.jpg") in points
    assert imported(desk, folder).counts.unchanged == len(rows)


def test_no_picture_is_read_outside_of_the_roots(desk: Any, vectors: Any, write: Write) -> None:
    outside = desk.root.parent / "secret.png"
    Image.new("RGB", (10, 10)).save(outside)
    folder = write(vectors[:2], [{"image_path": str(outside)}, {"image_path": "../../secret.png"}])
    assert imported(desk, folder).counts.indexed == 2
    assert {point.payload.sha256 for point in desk.points("clip").values()} == {None}


def test_vectors_of_any_length_become_unit_vectors(desk: Any, vectors: Any, write: Write) -> None:
    rows = [{"url": f"https://example.org/{number}.jpg"} for number in range(4)]
    bad = np.array(vectors[:4], dtype=np.float32) * 7.5
    bad[1], bad[2, 3] = 0, np.nan
    job = imported(desk, write(bad, rows, kind=np.float32))
    assert (job.state, job.counts.indexed) == (JobState.PARTIAL, 2)
    assert [failure.reason for failure in desk.failures(job)] == [FailureReason.BAD_VECTOR] * 2
    stored = desk.points("clip")[unread_point_id("https://example.org/0.jpg")].vector
    np.testing.assert_allclose(stored, vectors[0], atol=1e-3)


def test_vectors_of_another_model_are_found_out(
    desk: Any, pictures: list[Path], vectors: Any, write: Write
) -> None:
    others = np.random.default_rng(1).normal(size=vectors.shape)
    folder = write(others, [{"image_path": str(path)} for path in pictures])
    job = imported(desk, folder)
    assert code(job) == "space_mismatch"
    assert "cosine" in job.error.detail  # type: ignore[union-attr]
    assert desk.points("clip") == {}
    assert code(imported(desk, folder, model="clip-ViT-L-14")) == "space_mismatch"


def test_pictures_are_prepared_for_the_model_of_their_collection(
    desk: Any, pictures: list[Path], vectors: Any, write: Write
) -> None:
    mine = desk.encoder.manifest.preprocessing
    of_new_collections = mine.model_copy(update={"size": 2 * mine.size})
    folder = write(vectors, [{"image_path": str(path)} for path in pictures])
    with PictureDecoder.of(Settings(), of_new_collections, processes=1) as desk.decoder:
        job = imported(desk, folder)
    assert (job.state, job.counts.indexed) == (JobState.SUCCEEDED, PICTURES)


def test_what_does_not_fit_together_is_refused(desk: Any, vectors: Any, write: Write) -> None:
    rows = [{"url": f"https://example.org/{number}.jpg"} for number in range(PICTURES)]
    folder = write(vectors, rows[:-1])
    assert code(imported(desk, folder)) == "import_damaged"
    write(vectors[:, :16], rows)
    assert code(imported(desk, folder)) == "import_damaged"
    write(vectors, [{"text": "a"}] * PICTURES)
    assert code(imported(desk, folder)) == "import_damaged"
    write(np.ones((PICTURES, 32)), rows, kind=np.int64)
    assert code(imported(desk, folder)) == "import_damaged"
    np.save(folder / "img_emb" / "img_emb_0.npy", np.array([{}] * PICTURES, dtype=object), allow_pickle=True)
    assert code(imported(desk, folder)) == "import_damaged"
    write(vectors, rows)
    (folder / "metadata" / "metadata_0.parquet").rename(folder / "metadata" / "metadata_1.parquet")
    assert code(imported(desk, folder)) == "import_damaged"
    (folder / "img_emb" / "img_emb_0.npy").unlink()
    assert code(imported(desk, folder)) == "file_not_found"
