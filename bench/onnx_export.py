"""The image tower of a model as ONNX, for ONNX Runtime.

    python -m bench.onnx_export WEIGHTS SIZE FILE.onnx

Its input `pixels` is float32, shape (n, 3, SIZE, SIZE), normalised; its output float32, shape (n, dimension).
"""

import subprocess
import sys
from pathlib import Path


def export_onnx(weights: Path, size: int, file: Path) -> None:
    """Export in a process of its own, so that this one does without torch; raises RuntimeError."""
    command = [sys.executable, "-m", "bench.onnx_export", str(weights), str(size), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The export to ONNX failed: {done.stderr[-2000:]}")


def main() -> None:
    """Write the file."""
    import torch

    from bench.encoder_runtimes import image_features, sentence_transformer

    class ImageTower(torch.nn.Module):
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.model(image_features(pixels))["sentence_embedding"]
            return vectors

    weights, size, file = sys.argv[1:]
    torch.onnx.export(
        ImageTower(sentence_transformer(Path(weights))).eval(),
        (torch.zeros(2, 3, int(size), int(size)),),
        file,
        input_names=["pixels"],
        dynamic_axes={"pixels": {0: "pictures"}},
        dynamo=False,
    )


if __name__ == "__main__":
    main()
