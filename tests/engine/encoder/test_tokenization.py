from pathlib import Path

import pytest

from sightline.encoder.artifact import TOKENIZER, TextHandling
from sightline.encoder.tokenization import TextTokenizer
from sightline.errors import ModelError

START, END = 518, 519
LONG = "a cat on a mat " * 40


@pytest.fixture
def path(tiny_clip_artifact: Path) -> Path:
    return tiny_clip_artifact / TOKENIZER


def handling(**changes: object) -> TextHandling:
    return TextHandling.model_validate({"context_tokens": 77, "padding": "longest", "pad_id": END} | changes)


def test_pads_to_the_longest_text(path: Path) -> None:
    ids, mask = TextTokenizer(path, handling())(["cat", "a cat"])

    assert ids.shape == mask.shape == (2, 4)
    assert ids[0, 0] == START
    assert list(ids[0, 2:]) == [END, END]
    assert list(mask[0]) == [1, 1, 1, 0]
    assert list(mask[1]) == [1, 1, 1, 1]


def test_pads_to_the_context(path: Path) -> None:
    ids, mask = TextTokenizer(path, handling(padding="max_length", context_tokens=64, pad_id=0))(["cat"])

    assert ids.shape == (1, 64)
    assert set(ids[0, 3:]) == {0}
    assert mask.sum() == 3


def test_pads_on_the_left(path: Path) -> None:
    ids, _ = TextTokenizer(path, handling(padding_side="left", pad_id=0))(["cat", "a cat"])

    assert list(ids[0, :2]) == [0, START]


def test_cuts_at_the_context_and_keeps_the_end_token(path: Path) -> None:
    ids, _ = TextTokenizer(path, handling())([LONG])

    assert ids.shape == (1, 77)
    assert ids[0, -1] == END


@pytest.mark.parametrize(("text", "exceeds"), [("a cat", False), ("", False), (LONG, True)])
def test_exceeds_context(path: Path, text: str, exceeds: bool) -> None:
    assert TextTokenizer(path, handling()).exceeds_context(text) is exceeds


def test_text_that_just_fits_does_not_exceed(path: Path) -> None:
    tokenizer = TextTokenizer(path, handling())

    assert not tokenizer.exceeds_context("cat " * 75)
    assert tokenizer.exceeds_context("cat " * 76)


@pytest.mark.parametrize("side", ["right", "left"])
def test_batches_keep_long_texts_apart_from_short_ones(path: Path, side: str) -> None:
    texts = [LONG, "cat", "a cat", LONG, "cat"] * 4
    tokenizer = TextTokenizer(path, handling(padding_side=side))

    short, long = tokenizer.batches(texts)

    assert short.ids.shape == (12, 4)
    assert long.ids.shape == (8, 77)
    assert sorted([*short.rows, *long.rows]) == list(range(20))
    for batch in (short, long):
        for row, ids, mask in zip(batch.rows, batch.ids, batch.mask, strict=True):
            (alone,), _ = tokenizer([texts[row]])
            assert ids[mask.astype(bool)].tolist() == alone.tolist()


def test_texts_of_similar_length_are_one_batch(path: Path) -> None:
    (batch,) = TextTokenizer(path, handling()).batches(["a cat on a mat", "cat", "a cat"])

    assert batch.ids.shape[0] == 3


def test_texts_padded_to_the_context_are_one_batch(path: Path) -> None:
    (batch,) = TextTokenizer(path, handling(padding="max_length")).batches([LONG, "cat"])

    assert batch.ids.shape == (2, 77)


def test_prompt_surrounds_the_text(path: Path) -> None:
    prompted, _ = TextTokenizer(path, handling(prompt="a {}"))(["cat"])
    plain, _ = TextTokenizer(path, handling())(["a cat"])

    assert prompted.tolist() == plain.tolist()


def test_unreadable_tokenizer(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER).write_text("{}")

    with pytest.raises(ModelError, match="cannot be read"):
        TextTokenizer(tmp_path / TOKENIZER, handling())
