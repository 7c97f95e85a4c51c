"""How fast the encoder is alone, against sentence-transformers, torch and ONNX Runtime.

    python -m bench.encoders [--runs 5] [--seconds 4] [--int8 FOLDER] [--json FILE]

The same 32 pictures, already of the size that the network sees, are encoded in batches of 32 by each in
turn; then one short text by those that have a text tower. Each is a process of its own with the settings
that its library comes with, and stands still while others are measured. Figures are medians over the
runs; cosines, the lowest of all pictures, are to torch in float32.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from bench.command import add_cache, add_weights, measure_and_print, parser_of
from bench.corpora import WEB, make_corpus
from bench.encoder_process import EncoderProcess
from bench.onnx_export import export_onnx
from bench.prepared_pictures import PreparedPictures
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import cpu_has_bf16

STOCK = "sentence-transformers"
_REFERENCE = "torch-f32"
_PICTURES = 32
_TEXT_CALLS = 40


def measure(
    *, runs: int, seconds: float, model: Path, weights: Path, cache: Path, int8: Path | None = None
) -> dict[str, Any]:
    """Load every encoder and run them in turns.

    `model` is an artifact and `weights` the same model as sentence-transformers loads it; `int8` is an
    artifact that has int8, which is left out without one.
    """
    spec = open_artifact(model).manifest.preprocessing
    files = sorted(make_corpus(WEB, _PICTURES, cache.resolve()).iterdir())
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        PreparedPictures.of(files, spec).save(folder / "pictures.npz")
        export_onnx(weights, spec.size, folder / "image.onnx")
        sources = {STOCK: weights, _REFERENCE: weights, "onnxruntime-f32": folder / "image.onnx"}
        sources |= dict.fromkeys(_openvino_names(), model)
        sources |= {"openvino-int8": int8} if int8 else {}
        encoders = {
            name: opened.enter_context(EncoderProcess(name, source, folder / "pictures.npz"))
            for name, source in sources.items()
        }
        vectors = {name: encoder.vectors(folder) for name, encoder in encoders.items()}
        rates, texts = [], []
        for run in range(1, runs + 1):
            order = list(encoders) if run % 2 else list(encoders)[::-1]
            rates.append({name: encoders[name].pictures_per_s(seconds) for name in order})
            with_text = [name for name in order if name in (STOCK, *_openvino_names())]
            texts.append({name: encoders[name].text_ms(_TEXT_CALLS, run) for name in with_text})
    return {
        "pictures": _summary(rates, vectors),
        "text_ms": {name: median(run[name] for run in texts) for name in sorted(texts[0])},
        "runs": [{"pictures_per_s": rate, "text_ms": text} for rate, text in zip(rates, texts, strict=True)],
    }


def _openvino_names() -> list[str]:
    return ["openvino-f32", *(["openvino-bf16"] if cpu_has_bf16() else [])]


def _summary(rates: list[dict[str, float]], vectors: dict[str, Any]) -> dict[str, dict[str, float]]:
    summary = {
        name: {
            "per_s": median(run[name] for run in rates),
            "over_stock": median(run[name] / run[STOCK] for run in rates),
            "cosine": float(np.min((vectors[name] * vectors[_REFERENCE]).sum(1))),
        }
        for name in rates[0]
    }
    return dict(sorted(summary.items(), key=lambda named: named[1]["per_s"]))


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    pictures = Table(title="encoder alone, ViT-B/32, batches of 32")
    for column in ("runtime", "pictures/s", "x sentence-transformers", "lowest cosine to f32"):
        pictures.add_column(column, justify="left" if column == "runtime" else "right")
    for name, one in found["pictures"].items():
        pictures.add_row(name, f"{one['per_s']:.1f}", f"{one['over_stock']:.2f}", f"{one['cosine']:.6f}")
    texts = Table("one short text", "ms")
    for name, took_ms in found["text_ms"].items():
        texts.add_row(name, f"{took_ms:.2f}")
    return [pictures, texts]


def main() -> None:
    """Print tables; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    add_weights(parser)
    parser.add_argument("--int8", type=Path, help="artifact folder of the same model with int8")
    add_cache(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
