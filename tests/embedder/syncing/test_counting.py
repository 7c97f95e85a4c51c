"""A picture is counted as indexed once in its job, wherever its source lies."""

from embedder_by_hand import COLLECTION, Embedder
from worked_folder import id_of, picture

from sightline.identity import sha256_of
from sightline.index import Point
from sightline.payload import FirstIndexed
from sightline.queue.jobs import Batch, Job, JobRequest
from sightline.queue.sources import Item, RecordedSource, SourceKind


def item(number: int, picture_number: int = 1) -> Item:
    sha256 = sha256_of(picture(picture_number))
    return Item(number=number, kind=SourceKind.UPLOAD, uri=f"upload:{picture_number}.bmp", sha256=sha256)


def upload(embedder: Embedder, *numbers: int) -> Job:
    for number in numbers:
        embedder.media.put_original(COLLECTION, sha256_of(picture(number)), picture(number))
    return embedder.ledger.create(JobRequest(collection=COLLECTION, source=RecordedSource(kind="upload")))


def test_a_source_in_two_batches_of_a_job_is_one_new_picture(embedder: Embedder) -> None:
    job, indexer = upload(embedder, 1, 2), embedder.indexer()
    first, second = Batch(id="0", items=(item(0), item(1, 2))), Batch(id="1", items=(item(2),))

    for _ in range(2):  # A batch that runs twice says the same.
        done = [indexer.run(job, first), indexer.run(job, second)]
        assert [(one.indexed, one.unchanged) for one in done] == [(2, 0), (0, 1)]
    assert embedder.points().keys() == {id_of(1), id_of(2)}


def test_the_batch_that_came_first_made_the_picture_though_it_was_planned_later(embedder: Embedder) -> None:
    job, indexer = upload(embedder, 1), embedder.indexer()
    first, second = Batch(id="0", items=(item(0),)), Batch(id="1", items=(item(1),))

    done = [indexer.run(job, one) for one in (second, first, second)]

    assert [(one.indexed, one.unchanged) for one in done] == [(1, 0), (0, 1), (1, 0)]


def test_the_halves_of_a_batch_that_had_made_its_pictures_say_so(embedder: Embedder) -> None:
    job, indexer = upload(embedder, 1, 2), embedder.indexer()
    whole = Batch(id="0", items=(item(0), item(1, 2)))
    indexer.run(job, whole)

    assert [indexer.run(job, half).indexed for half in whole.halves()] == [1, 1]


def test_a_picture_that_says_nothing_of_its_item_was_made_by_its_source(embedder: Embedder) -> None:
    """As those that earlier versions made."""
    job, indexer = upload(embedder, 1), embedder.indexer()
    indexer.run(job, Batch(id="0", items=(item(0),)))
    (made,) = embedder.index.retrieve(COLLECTION, [id_of(1)], with_vectors=True).values()
    assert made.vector is not None
    first = made.payload.first_indexed
    earlier = made.payload.model_copy(
        update={"first_indexed": FirstIndexed(job=first.job, source=first.source)}
    )
    embedder.index.delete(COLLECTION, [id_of(1)])
    embedder.index.insert(COLLECTION, [Point(id_of(1), made.vector, earlier)])

    assert indexer.run(job, Batch(id="0", items=(item(0), item(1)))).indexed == 1
