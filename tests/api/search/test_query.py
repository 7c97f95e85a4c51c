import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from multilingual_tower import save_multilingual_tower

from sightline.buckets import Buckets
from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.registry import open_encoder
from sightline.errors import QueryCancelsOut
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.pictures import PictureLimits
from sightline.settings import Settings
from sightline_api.http.metrics import Metrics
from sightline_api.http.problems import ApiError
from sightline_api.originals import Originals
from sightline_api.search.models import TextPart
from sightline_api.search.picture_vectors import PictureVectors
from sightline_api.search.query import QueryEncoder
from sightline_api.search.text_cache import TextKey, TextVectorCache
from sightline_api.search.text_vectors import TextInLanguage, TextVectors
from sightline_embedder.models.multilingual import add_multilingual


@pytest.fixture(scope="module")
def encoder(tiny_clip_artifact: Path) -> Encoder:
    return open_encoder(tiny_clip_artifact, Settings())


@pytest.fixture(scope="module")
def decoder(encoder: Encoder) -> Iterator[PictureDecoder]:
    with closing(PictureDecoder.of(Settings(), encoder.manifest.preprocessing, processes=1)) as decoder:
        yield decoder


@pytest.fixture
def cache() -> TextVectorCache:
    return TextVectorCache(entries=100)


@pytest.fixture
def texts(encoder: Encoder, cache: TextVectorCache) -> TextVectors:
    return TextVectors(encoder, cache, Metrics())


@pytest.fixture
def queries(
    encoder: Encoder, decoder: PictureDecoder, index_socket: Path, texts: TextVectors, tmp_path: Path
) -> QueryEncoder:
    media = FolderMediaStore(tmp_path)
    originals = Originals(Settings(), media, Buckets.of(Settings()))
    pictures = PictureVectors(
        encoder, decoder, EdgeClient(index_socket), originals, media, Metrics(), patience_s=30
    )
    return QueryEncoder(texts, pictures)


def test_a_query_is_the_normalised_weighted_sum_of_its_texts(queries: QueryEncoder, encoder: Encoder) -> None:
    parts = [TextPart(text="a cat"), TextPart(text="a mat", weight=-0.5), TextPart(text="a cat", weight=2)]

    query = queries.encode("images", parts)

    cat, mat = encoder.encode_texts(["a cat", "a mat"])
    wanted = 3 * cat - 0.5 * mat
    np.testing.assert_allclose(query.aims[0].vector, wanted / np.linalg.norm(wanted), atol=1e-5)
    assert query.aims[0].vector.dtype == np.float32


def test_a_picture_that_is_not_decoded_in_time_is_refused(
    encoder: Encoder, index_socket: Path, tmp_path: Path
) -> None:
    limits = PictureLimits(max_bytes=1 << 20, max_pixels=1 << 20)
    preprocessing = encoder.manifest.preprocessing
    media = FolderMediaStore(tmp_path)
    originals = Originals(Settings(), media, Buckets.of(Settings()))
    nobody = PictureDecoder(
        limits=limits,
        preprocessing=preprocessing,
        thumbnail_side=64,
        processes=0,
        timeout_s=1,
        memory_bytes=1 << 30,
    )
    with closing(nobody):
        pictures = PictureVectors(
            encoder, nobody, EdgeClient(index_socket), originals, media, Metrics(), patience_s=0.01
        )
        with pytest.raises(ApiError, match=r"waited 0\.01 s to be decoded") as refusal:
            pictures.of_bytes(b"a picture")
    assert (refusal.value.status, refusal.value.code) == (429, "overloaded")


def test_weights_that_cancel_leave_nothing(queries: QueryEncoder) -> None:
    with pytest.raises(QueryCancelsOut):
        queries.encode("images", [TextPart(text="a cat"), TextPart(text="a cat", weight=-1)])


def test_the_vector_of_a_text_is_remembered(
    texts: TextVectors, cache: TextVectorCache, encoder: Encoder
) -> None:
    cat, dog, mat = map(TextInLanguage, ["a cat", "a dog", "a mat"])

    first = texts.of([cat, dog, cat])
    second = texts.of([dog, mat])

    assert list(first) == [cat, dog]
    assert second[dog] is first[dog]
    assert len(cache) == 3
    key = TextKey(encoder.manifest.space, encoder.numerics, "own", "a dog")
    assert cache.get(key) is first[dog]


def test_queries_at_once_get_the_vectors_of_their_own_texts(queries: QueryEncoder, encoder: Encoder) -> None:
    texts = [f"cat {'a ' * (number % 23)}{number}" for number in range(120)]
    wanted = encoder.encode_texts(texts)

    with ThreadPoolExecutor(24) as pool:
        got = list(
            pool.map(lambda text: queries.encode("images", [TextPart(text=text)]).aims[0].vector, texts)
        )

    np.testing.assert_allclose(np.stack(got), wanted, atol=1e-5)


def test_a_text_that_is_cut_is_told(queries: QueryEncoder) -> None:
    query = queries.encode("images", [TextPart(text="a cat"), TextPart(text="a cat on a mat " * 40)])

    (warning,) = query.warnings
    assert warning.code == "text_truncated"
    assert "part 1" in warning.detail


def test_contributions_of_the_parts_add_up_to_the_cosine(queries: QueryEncoder, encoder: Encoder) -> None:
    parts = [TextPart(text="a cat"), TextPart(text="a mat", weight=-0.5), TextPart(text="a dog", weight=2)]
    others = encoder.encode_texts(["a red bicycle", "the sea", "a cat on a mat"])

    query = queries.encode("images", parts)
    for other in others:
        scores = query.part_scores(other)
        contributions = query.contributions(scores)
        assert contributions.sum() == pytest.approx(other @ query.aims[0].vector, abs=1e-5)
        assert scores[0] == pytest.approx(other @ encoder.encode_texts(["a cat"])[0], abs=1e-5)
        assert (np.sign(contributions) == np.sign(scores) * [1, -1, 1]).all()


def test_with_the_best_score_one_part_decides(queries: QueryEncoder, encoder: Encoder) -> None:
    parts = [TextPart(text="a cat"), TextPart(text="a dog"), TextPart(text="a mat", weight=-3)]

    query = queries.encode("images", parts, "best_score")
    cat, dog, mat = encoder.encode_texts(["a cat", "a dog", "a mat"])

    assert query.contributions(query.part_scores(dog)) == pytest.approx([0, 1, 0], abs=1e-4)
    assert query.contributions(query.part_scores(mat)) == pytest.approx([0, 0, -1], abs=1e-4)
    np.testing.assert_allclose(query.positives, [cat, dog], atol=1e-5)
    np.testing.assert_allclose(query.negatives, [mat], atol=1e-5)
    assert [aim.is_text for aim in query.aims] == [True, True]


def test_parts_that_cancel_out_in_a_sum_do_not_for_the_best_score(queries: QueryEncoder) -> None:
    parts = [TextPart(text="a cat"), TextPart(text="a cat", weight=-1)]
    assert queries.encode("images", parts, "best_score").positives.shape[0] == 1


@pytest.fixture(scope="module")
def two_towers(tiny_clip_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("two-towers")
    artifact = open_artifact(Path(shutil.copytree(tiny_clip_artifact, folder / "artifact")))
    tower = save_multilingual_tower(folder / "tower", tiny_clip_artifact)
    return open_encoder(add_multilingual(artifact, str(tower)).path, Settings())


@pytest.mark.parametrize(
    ("text", "lang", "is_multilingual"),
    [
        ("eine katze auf dem Sofa", None, True),
        ("un gato en la silla", None, True),
        ("猫", None, True),
        ("a cat on a sofa", None, False),
        ("cat", None, False),
        ("a cat on a sofa", "de", True),
        ("a cat on a sofa", "und", True),
        ("eine katze auf dem Sofa", "en", False),
        ("eine katze auf dem Sofa", "EN-us", False),
    ],
)
def test_a_text_is_read_by_the_tower_of_its_language(
    two_towers: Encoder, text: str, lang: str | None, is_multilingual: bool
) -> None:
    texts = TextVectors(two_towers, TextVectorCache(entries=100), Metrics())
    assert two_towers.multilingual is not None
    tower = two_towers.multilingual if is_multilingual else two_towers

    found = texts.of([TextInLanguage(text, lang), TextInLanguage("a mat", "en")])

    np.testing.assert_allclose(found[TextInLanguage(text, lang)], tower.encode_texts([text])[0], atol=1e-5)
    mat = two_towers.encode_texts(["a mat"])[0]
    np.testing.assert_allclose(found[TextInLanguage("a mat", "en")], mat, atol=1e-5)


def test_each_tower_has_a_context_of_its_own(two_towers: Encoder) -> None:
    texts = TextVectors(two_towers, TextVectorCache(entries=100), Metrics())

    assert texts.kept_tokens(TextInLanguage("cat " * 60, "de")) == 48
    assert texts.kept_tokens(TextInLanguage("cat " * 60, "en")) is None
