import numpy as np
import pytest

from sightline.encoder import Encoder
from sightline.encoder.prompts import PromptEnsemble, query_texts


def test_a_text_is_the_mean_of_its_prompts(encoder: Encoder) -> None:
    ensemble = PromptEnsemble(encoder, ("{}", "a photo of a {}", "{} in the sun"))

    found = ensemble.encode_texts(["cat", "dog"])

    for text, vector in zip(["cat", "dog"], found, strict=True):
        mean = encoder.encode_texts([text, f"a photo of a {text}", f"{text} in the sun"]).mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert ensemble.encode_texts([]).shape == (0, 32)


def test_a_text_with_braces_stays_as_it_is(encoder: Encoder) -> None:
    ensemble = PromptEnsemble(encoder, ("a {}",))

    np.testing.assert_allclose(ensemble.encode_texts(["{} {}"]), encoder.encode_texts(["a {} {}"]), atol=1e-6)


@pytest.mark.parametrize(("cats", "is_cut"), [(3, False), (75, True), (200, True)])
def test_a_text_is_cut_where_any_prompt_is(encoder: Encoder, cats: int, is_cut: bool) -> None:
    text = "cat " * cats

    assert PromptEnsemble(encoder, ("{}", "a a a a {}")).exceeds_context(text) is is_cut


def test_without_prompts_texts_are_read_as_they_are(encoder: Encoder) -> None:
    assert query_texts(encoder) is encoder
