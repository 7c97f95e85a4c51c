import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from sightline_embedder.models.first_token import first_token_only


@pytest.fixture(scope="module")
def vision() -> CLIPVisionModel:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=64,
        patch_size=16,
    )
    return CLIPVisionModel(config).eval()


@torch.inference_mode()
def test_the_class_token_is_the_same_without_the_others(vision: CLIPVisionModel) -> None:
    pixels = torch.randn(3, 3, 64, 64)
    whole = vision(pixels)

    with first_token_only(vision.encoder.layers):
        alone = vision(pixels)

    assert whole.last_hidden_state.shape[1] == 17
    assert alone.last_hidden_state.shape[1] == 1
    torch.testing.assert_close(alone.pooler_output, whole.pooler_output, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_the_model_is_as_before_afterwards(vision: CLIPVisionModel) -> None:
    last = vision.encoder.layers[-1]

    with first_token_only(vision.encoder.layers):
        assert vision.encoder.layers[-1] is not last

    assert vision.encoder.layers[-1] is last
