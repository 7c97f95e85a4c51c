"""Scans over a real index and Redis: what they find, and that a scan goes on where another one died."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pytest
from redis import Redis
from running_index import running_index

from sightline.identity import point_id
from sightline.index import CollectionSpec, Point
from sightline.index.edge.client import EdgeClient
from sightline.likeness import DuplicateKind
from sightline.payload import INDEXED_FIELDS, Payload, Source
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import Job, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import DuplicatesSource
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.errors import SourceError

SPACE = "model@0123456789abcdef"
COLLECTION = "images"
ORIGINALS = 400
COPIED_EVERY = 4
FILED_TWICE_EVERY = 50
ASKED = DuplicatesSource()


@pytest.fixture(scope="module")
def client() -> Iterator[EdgeClient]:
    with running_index() as client:
        yield client


@pytest.fixture(scope="module")
def points(make_payload: Callable[..., Payload]) -> list[Point]:
    """Pictures, and copies of every fourth: first those by look alone, then those by vector alone."""
    chance = np.random.default_rng(3)
    made: list[Point] = []

    def add(vector: np.ndarray, bits: np.ndarray | None) -> None:
        sha256 = f"{len(made):064x}"
        digest = None if bits is None else bits.tobytes().hex()
        files = 1 + (len(made) % FILED_TWICE_EVERY == 0)
        sources = {str(file): Source(kind="folder", uri=f"file:///{sha256}-{file}") for file in range(files)}
        payload = make_payload(sha256=sha256, perceptual_hash=digest, width=400, height=300, sources=sources)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        made.append(Point(point_id(sha256), unit, payload))

    vectors = chance.normal(size=(ORIGINALS, 64))
    hashes = chance.integers(0, 256, (ORIGINALS, 32), dtype=np.uint8)
    for vector, bits in zip(vectors, hashes, strict=True):
        add(vector, bits)
    for number in range(0, ORIGINALS, COPIED_EVERY):
        mask = np.zeros(32, np.uint8)
        mask[:5] = 0xFF
        add(chance.normal(size=64), hashes[number] ^ mask)
    for number in range(0, ORIGINALS, COPIED_EVERY):
        add(vectors[number] + 0.05 * chance.normal(size=64), None)
    return made


@pytest.fixture
def scan(client: EdgeClient, points: list[Point], redis: Redis) -> Iterator[DuplicateScan]:
    client.ensure_collection(CollectionSpec(COLLECTION, SPACE, 64, INDEXED_FIELDS))
    client.insert(COLLECTION, points)
    yield DuplicateScan(client, Duplicates(redis, timedelta(days=1)))
    client.drop_collection(COLLECTION)


def new_job(ledger: Ledger) -> Job:
    return ledger.create(JobRequest(collection=COLLECTION, source=ASKED))


def found(redis: Redis, kind: DuplicateKind) -> set[frozenset[str]]:
    duplicates = Duplicates(redis, timedelta(days=1))
    return {frozenset(group) for group in duplicates.groups(COLLECTION, kind, 0, 10_000)}


def expected(points: list[Point], kind: DuplicateKind) -> set[frozenset[str]]:
    if kind is DuplicateKind.EXACT:
        return {frozenset({point.id}) for point in points if len(point.payload.sources) > 1}
    first = ORIGINALS if kind is DuplicateKind.PERCEPTUAL else ORIGINALS + ORIGINALS // COPIED_EVERY
    return {
        frozenset({points[number].id, points[first + copy].id})
        for copy, number in enumerate(range(0, ORIGINALS, COPIED_EVERY))
    }


def test_each_kind_finds_its_copies_and_nothing_else(
    scan: DuplicateScan, points: list[Point], redis: Redis, ledger: Ledger
) -> None:
    steps = list(scan.steps(new_job(ledger), ASKED, None))

    assert sum(step.unchanged for step in steps) == len(points)
    for kind in DuplicateKind:
        assert found(redis, kind) == expected(points, kind)
    assert not redis.keys("sightline:duplicates:*:pairs")


def test_a_scan_goes_on_from_any_step_of_another_that_died(
    scan: DuplicateScan, points: list[Point], redis: Redis, ledger: Ledger, client: EdgeClient
) -> None:
    whole = [step.cursor for step in scan.steps(new_job(ledger), ASKED, None)]
    assert len(whole) >= 4
    for died_after in range(len(whole) + 1):
        redis.delete(*redis.keys("sightline:duplicates:*"))
        job = new_job(ledger)
        dying = scan.steps(job, ASKED, None)
        cursors = [next(dying).cursor for _ in range(died_after)]
        # The last step was done and not recorded.
        recorded = cursors[-2] if died_after > 1 else None

        other = DuplicateScan(client, Duplicates(redis, timedelta(days=1)))
        for _ in other.steps(job, ASKED, recorded):
            pass

        for kind in DuplicateKind:
            assert found(redis, kind) == expected(points, kind)


def test_a_scan_takes_the_place_of_an_earlier_one(
    scan: DuplicateScan, points: list[Point], redis: Redis, ledger: Ledger, client: EdgeClient
) -> None:
    duplicates = Duplicates(redis, timedelta(days=1))
    assert duplicates.latest(COLLECTION) is None
    for _ in scan.steps(new_job(ledger), ASKED, None):
        pass
    before = duplicates.latest(COLLECTION)
    client.delete(COLLECTION, [point.id for point in points[ORIGINALS:]])

    for _ in scan.steps(new_job(ledger), ASKED, None):
        pass

    after = duplicates.latest(COLLECTION)
    assert before is not None
    assert after is not None
    assert before.groups[DuplicateKind.PERCEPTUAL] == ORIGINALS // COPIED_EVERY
    assert after.groups == {"exact": ORIGINALS // FILED_TWICE_EVERY, "perceptual": 0, "semantic": 0}
    assert after.computed_at > before.computed_at
    assert found(redis, DuplicateKind.SEMANTIC) == set()


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        (DuplicatesSource(perceptual_bits=0), "at semantic_cosine 0.96. Raise semantic_cosine"),
        (DuplicatesSource(semantic_cosine=1.0), "at perceptual_bits 68. Lower perceptual_bits"),
    ],
    ids=["semantic", "perceptual"],
)
@pytest.mark.usefixtures("scan")
def test_a_threshold_that_lets_too_many_pairs_through_ends_the_scan(
    redis: Redis, ledger: Ledger, client: EdgeClient, asked: DuplicatesSource, remedy: str
) -> None:
    duplicates, job = Duplicates(redis, timedelta(days=1)), new_job(ledger)

    # As many as there are would do.
    for _ in DuplicateScan(client, duplicates, max_pairs=100).steps(new_job(ledger), asked, None):
        pass
    latest = duplicates.latest(COLLECTION)
    with pytest.raises(SourceError) as caught:
        list(DuplicateScan(client, duplicates, max_pairs=99).steps(job, asked, None))

    assert caught.value.code == "too_many_pairs"
    assert remedy in caught.value.detail
    assert duplicates.latest(COLLECTION) == latest
    kept = redis.keys(f"sightline:duplicates:{job.id}:*")
    assert kept
    assert all(redis.ttl(key) <= 3600 for key in kept)


@pytest.mark.usefixtures("scan")
def test_pictures_in_several_places_are_never_too_many(
    points: list[Point], redis: Redis, ledger: Ledger, client: EdgeClient
) -> None:
    asked = DuplicatesSource(perceptual_bits=0, semantic_cosine=1.0)

    one = DuplicateScan(client, Duplicates(redis, timedelta(days=1)), max_pairs=1)
    for _ in one.steps(new_job(ledger), asked, None):
        pass

    assert found(redis, DuplicateKind.EXACT) == expected(points, DuplicateKind.EXACT)


def test_an_empty_collection_has_no_duplicates(redis: Redis, ledger: Ledger, client: EdgeClient) -> None:
    client.ensure_collection(CollectionSpec(COLLECTION, SPACE, 64, INDEXED_FIELDS))
    duplicates = Duplicates(redis, timedelta(days=1))

    steps = list(DuplicateScan(client, duplicates).steps(new_job(ledger), ASKED, None))

    client.drop_collection(COLLECTION)
    assert sum(step.unchanged for step in steps) == 0
    latest = duplicates.latest(COLLECTION)
    assert latest is not None
    assert latest.groups == dict.fromkeys(DuplicateKind, 0)
