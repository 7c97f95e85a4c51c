from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline_embedder.models.build import load_reference
from sightline_embedder.models.catalog import entry_for
from sightline_embedder.models.reference import Reference


@pytest.fixture(scope="session")
def tiny_reference(tiny_clip_folder: Path) -> Reference:
    return load_reference(entry_for(str(tiny_clip_folder)))


@pytest.fixture
def pictures() -> list[Image.Image]:
    """Twelve pictures with detail at every scale, of several sizes; none of them is a golden one."""
    random = np.random.default_rng(11)
    made = []
    for width, height in [(640, 480), (480, 640), (224, 224), (50, 40), (1200, 300), (333, 777)] * 2:
        detail = random.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
        shade = np.linspace(0, 120, width, dtype=np.uint8)[None, :, None]
        large = np.asarray(Image.fromarray(detail).resize((width, height), Image.Resampling.BILINEAR))
        made.append(Image.fromarray(large // 2 + shade))
    return made


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Hugging Face SigLIP folder with a SigLIP2 tokenizer and random weights."""
    from transformers import (
        Siglip2Tokenizer,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
        SiglipProcessor,
    )

    out = tmp_path_factory.mktemp("siglip") / "tiny-siglip"
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [*"▁abcdefghijklmnopqrstuvwxyz0123456789.,!", "ca", "cat"]
    tokenizer = Siglip2Tokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[("c", "a"), ("ca", "t")],
        model_max_length=64,
        padding_side="right",
        model_input_names=["input_ids"],
        add_bos_token=False,
        add_eos_token=True,
    )
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = shape | {"vocab_size": len(tokens), "max_position_embeddings": 64, "projection_size": 32}
    ends = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
    config = SiglipConfig(text_config=text | ends, vision_config=shape | {"image_size": 64, "patch_size": 32})
    torch.manual_seed(0)
    SiglipModel(config).save_pretrained(out)
    processor = SiglipImageProcessorPil(size={"height": 64, "width": 64}, resample=Image.Resampling.BILINEAR)
    SiglipProcessor(processor, tokenizer).save_pretrained(out)
    return out
