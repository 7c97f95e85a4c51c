"""What an embedder tells of itself, over a real Redis."""

from redis import Redis

from sightline.queue.embedders import Embedders, SignOfLife
from sightline_embedder.presence import Presence
from sightline_embedder.progress import Progress


def told(redis: Redis) -> SignOfLife:
    (embedder,) = Embedders(redis).crew().embedders
    return embedder.sign


def test_one_that_has_just_started_got_on_with_nothing(redis: Redis) -> None:
    Presence(Embedders(redis), Progress()).beat()
    assert (told(redis).last_progress, told(redis).batches) == (None, 0)


def test_a_download_that_goes_on_is_progress(redis: Redis) -> None:
    progress = Progress()
    presence = Presence(Embedders(redis), progress)
    progress.note()
    presence.beat()
    first = told(redis).last_progress
    progress.note()
    presence.beat()
    second = told(redis).last_progress
    assert first is not None
    assert second is not None
    assert second > first


def test_what_keeps_it_from_encoding_is_told(redis: Redis) -> None:
    progress = Progress()
    progress.fault = "It is broken."
    Presence(Embedders(redis), progress).beat()
    assert told(redis).fault == "It is broken."


def test_batches_are_counted_until_it_leaves(redis: Redis) -> None:
    presence = Presence(Embedders(redis), Progress())
    presence.count_batch()
    presence.count_batch()
    presence.beat()
    assert told(redis).batches == 2
    presence.leave()
    assert Embedders(redis).crew().embedders == []
