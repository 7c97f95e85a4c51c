from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline_api.search.text_cache import TextKey, TextVectorCache


def _key(text: str, space: str = "space", numerics: str = "openvino-f32", tower: str = "own") -> TextKey:
    return TextKey(space, numerics, tower, text)


def _vector(value: float) -> NDArray[np.float32]:
    return np.full(512, value, dtype=np.float32)


def test_what_was_put_is_got() -> None:
    cache = TextVectorCache(entries=10)

    cache.put(_key("a cat"), _vector(1))

    np.testing.assert_array_equal(cache.get(_key("a cat")), _vector(1))
    assert cache.get(_key("a dog")) is None


@pytest.mark.parametrize(
    "other",
    [
        _key("a cat", space="another"),
        _key("a cat", numerics="openvino-bf16"),
        _key("a cat", tower="multilingual"),
    ],
)
def test_a_text_has_a_vector_for_each_model_arithmetic_and_tower(other: TextKey) -> None:
    cache = TextVectorCache(entries=10)

    cache.put(_key("a cat"), _vector(1))

    assert cache.get(other) is None


def test_the_least_recently_used_is_forgotten_first() -> None:
    cache = TextVectorCache(entries=2)
    cache.put(_key("first"), _vector(1))
    cache.put(_key("second"), _vector(2))

    cache.get(_key("first"))
    cache.put(_key("third"), _vector(3))

    assert cache.get(_key("second")) is None
    assert cache.get(_key("first")) is not None
    assert cache.get(_key("third")) is not None


def test_long_texts_take_their_share_of_the_bytes() -> None:
    cache = TextVectorCache(entries=1000, max_bytes=100_000)

    for number in range(100):
        cache.put(_key(f"{number:04}" + "x" * 10_000), _vector(number))

    assert len(cache) == 2


def test_a_text_put_again_counts_once() -> None:
    cache = TextVectorCache(entries=1000, max_bytes=10_000)
    cache.put(_key("kept"), _vector(0))

    for number in range(100):
        cache.put(_key("again"), _vector(number))

    assert cache.get(_key("kept")) is not None


def test_no_entries_keep_nothing() -> None:
    cache = TextVectorCache(entries=0)

    cache.put(_key("a cat"), _vector(1))

    assert cache.get(_key("a cat")) is None


def test_a_vector_kept_cannot_be_changed() -> None:
    cache = TextVectorCache(entries=1)
    vector = _vector(1)
    cache.put(_key("a cat"), vector)

    with pytest.raises(ValueError, match="read-only"):
        vector += 1


def test_threads_get_what_belongs_to_their_text() -> None:
    cache = TextVectorCache(entries=50)

    def use(number: int) -> bool:
        value = number % 80
        cache.put(_key(str(value)), _vector(value))
        found = cache.get(_key(str(value)))
        return found is None or bool((found == value).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(4000)))
    assert len(cache) == 50
