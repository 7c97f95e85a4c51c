"""Pictures that somebody deletes while they come in stay away, and those that come in after that stay."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from embedder_by_hand import COLLECTION, Embedder
from worked_folder import id_of, picture

from sightline.errors import MediaNotFound
from sightline.identity import sha256_of
from sightline.index import Point, VectorIndex
from sightline.payload import FirstIndexed
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import Batch, BatchOutcome, Job, JobRequest
from sightline.queue.sources import Item, RecordedSource, SourceKind
from sightline_embedder.errors import PointsGone

NUMBER = 7
IMAGE = id_of(NUMBER)
SHA256 = sha256_of(picture(NUMBER))
ITEM = Item(number=0, kind=SourceKind.UPLOAD, uri="upload:a.bmp", sha256=SHA256)


class Happening:
    """An index in which something happens once, just before a call or just after."""

    def __init__(self, index: VectorIndex, call: str, happening: Callable[[], Any], *, after: bool) -> None:
        self._index, self._call, self._after = index, call, after
        self._happenings = [happening]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._index, name)
        if name != self._call or not self._happenings:
            return method
        happening = self._happenings.pop()

        def call(*arguments: Any, **options: Any) -> Any:
            if not self._after:
                happening()
            answer = method(*arguments, **options)
            if self._after:
                happening()
            return answer

        return call


def upload(embedder: Embedder) -> Job:
    """Somebody sends the picture."""
    embedder.media.put_original(COLLECTION, SHA256, picture(NUMBER))
    return embedder.ledger.create(JobRequest(collection=COLLECTION, source=RecordedSource(kind="upload")))


def run(embedder: Embedder, job: Job, index: Any = None) -> BatchOutcome:
    return embedder.indexer(cast("VectorIndex | None", index)).run(job, Batch(id="0", items=(ITEM,)))


def record_deletion(embedder: Embedder) -> None:
    Deletions(embedder.redis, timedelta(days=1)).record(COLLECTION, [IMAGE])


def delete(embedder: Embedder) -> None:
    """Somebody deletes the picture, as the API does it."""
    record_deletion(embedder)
    embedder.media.delete(COLLECTION, IMAGE, SHA256)
    embedder.index.delete(COLLECTION, [IMAGE])


def counts(outcome: BatchOutcome) -> tuple[int, int, int, int]:
    return outcome.indexed, outcome.unchanged, outcome.canceled, len(outcome.failures)


def test_an_upload_after_a_deletion_outlives_the_jobs_before_it(embedder: Embedder) -> None:
    first = upload(embedder)
    delete(embedder)
    second = upload(embedder)

    assert counts(run(embedder, first)) == (0, 0, 1, 0)
    assert embedder.points() == {}
    assert counts(run(embedder, second)) == (1, 0, 0, 0)

    assert counts(run(embedder, first)) == (0, 1, 0, 0), "it is there again"
    assert embedder.points()[IMAGE].payload.first_indexed.job == second.id
    assert embedder.media.read_original(COLLECTION, SHA256) == picture(NUMBER)


def test_a_point_that_a_later_upload_was_told_of_is_not_taken_back(embedder: Embedder) -> None:
    first = upload(embedder)
    run(embedder, first)  # Its embedder died before the outcome was set, so that it runs again.
    record_deletion(embedder)  # The API died before it deleted anything.
    second = upload(embedder)

    assert counts(run(embedder, second)) == (0, 1, 0, 0)
    run(embedder, first)

    assert IMAGE in embedder.points()


def test_a_later_upload_whose_point_is_taken_back_under_its_hands_makes_it_again(embedder: Embedder) -> None:
    first = upload(embedder)
    run(embedder, first)
    record_deletion(embedder)
    second = upload(embedder)
    index = Happening(embedder.index, "retrieve", lambda: run(embedder, first), after=True)

    with pytest.raises(PointsGone):
        run(embedder, second, index)
    assert counts(run(embedder, second)) == (1, 0, 0, 0)

    assert embedder.points()[IMAGE].payload.first_indexed.job == second.id


def test_a_point_that_an_import_brought_back_stays(embedder: Embedder) -> None:
    run(embedder, upload(embedder))
    (exported,) = embedder.index.retrieve(COLLECTION, [IMAGE], with_vectors=True).values()
    assert exported.vector is not None
    elsewhere = FirstIndexed(job="0" * 24, source="elsewhere")
    imported = exported.payload.model_copy(update={"first_indexed": elsewhere})
    running = upload(embedder)
    delete(embedder)
    embedder.index.insert(COLLECTION, [Point(IMAGE, exported.vector, imported)])
    upload(embedder)

    assert counts(run(embedder, running)) == (0, 1, 0, 0)

    assert embedder.points()[IMAGE].payload.first_indexed == elsewhere


@pytest.mark.parametrize("after", [False, True], ids=["before it is inserted", "after it was"])
def test_what_is_deleted_while_it_is_inserted_is_gone(embedder: Embedder, after: bool) -> None:
    job = upload(embedder)
    # The point is not there yet, or not seen: nothing but the record tells of it.
    index = Happening(embedder.index, "insert", lambda: record_deletion(embedder), after=after)

    assert counts(run(embedder, job, index)) == (0, 0, 1, 0)

    assert embedder.points() == {}
    with pytest.raises(MediaNotFound):
        embedder.media.read_thumbnail(COLLECTION, IMAGE)


def test_a_picture_that_is_deleted_again_is_gone_again(embedder: Embedder) -> None:
    run(embedder, upload(embedder))
    delete(embedder)
    second = upload(embedder)
    run(embedder, second)
    running = upload(embedder)
    delete(embedder)
    upload(embedder)

    assert counts(run(embedder, running)) == (0, 0, 1, 0)
    assert embedder.points() == {}
