"""Models that tests and benchmarks use, built once and kept in `.cache/models`.

Each has a `.key` beside it: a hash of the code that made it, and the versions of the libraries. A model
whose key differs is made again, by one process while others wait.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_CACHE = _ROOT / ".cache" / "models"
_ENCODER = _ROOT / "services/engine/sightline/encoder"
_BUILDER = (
    *sorted((_ROOT / "services/embedder/sightline_embedder/models").glob("*.py")),
    *(
        _ENCODER / f"{name}.py"
        for name in ("artifact", "golden", "openvino", "preprocessing", "tokenization", "torch")
    ),
)
_LIBRARIES = ("openvino", "torch", "transformers", "sentence-transformers", "tokenizers", "pillow")


def starter_artifact() -> Path:
    """The folder of the `starter` artifact."""
    out = _CACHE / "starter"
    with _made_once(out.name, _builder_key()) as missing:
        if missing:
            build("starter", out)
    return out


def clip_b32_weights() -> Path:
    """A Hugging Face folder in the shape of ViT-B/32 (151 M parameters) with random weights."""
    out = _CACHE / "clip-b32-random-weights"
    with _made_once(out.name, _key_of(Path(__file__))) as missing:
        if missing:
            save_clip(out, {}, {}, specials=(49406, 49407))
    return out


def clip_b32_artifact() -> Path:
    """The artifact of `clip_b32_weights`."""
    weights = clip_b32_weights()
    out = _CACHE / "clip-b32-random"
    with _made_once(out.name, _builder_key() + _key_of(Path(__file__))) as missing:
        if missing:
            build(str(weights), out)
    return out


def save_clip(
    out: Path, text: dict[str, int], vision: dict[str, int], specials: tuple[int, int], dimension: int = 512
) -> None:
    """Save a CLIP model with seeded random weights, a byte-level tokenizer and its processor."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

    start, end = specials
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    vocabulary |= {"<|startoftext|>": start, "<|endoftext|>": end}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[("c", "a"), ("ca", "t</w>")], model_max_length=77)
    ends = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    config = CLIPConfig(text_config=text | ends, vision_config=vision, projection_dim=dimension)
    side = config.vision_config.image_size
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(out)
    CLIPProcessor(processor, tokenizer).save_pretrained(out)


def build(name_or_folder: str, out: Path) -> None:
    """Build an artifact into the folder `out`."""
    from sightline_embedder.models.build import build_artifact

    build_artifact(name_or_folder, out)


@contextmanager
def _made_once(name: str, key: str) -> Iterator[bool]:
    """Whether something in the cache must be made (again); one process at a time is inside."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    key_file = _CACHE / f"{name}.key"
    with (_CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not ((_CACHE / name).is_dir() and key_file.exists() and key_file.read_text() == key)
        key_file.write_text(key)


def _builder_key() -> str:
    return _key_of(*_BUILDER) + json.dumps({library: version(library) for library in _LIBRARIES})


def _key_of(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
