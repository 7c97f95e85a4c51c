"""Sample pictures: real ones that the wheels of scikit-image and scikit-learn carry."""

import importlib.util
import shutil
import sys
from pathlib import Path

from sightline_local.errors import StartError

_FILES = {
    "skimage": (
        "data",
        [
            "astronaut.png",
            "brick.png",
            "camera.png",
            "cell.png",
            "chelsea.png",
            "chessboard_RGB.png",
            "clock_motion.png",
            "coffee.png",
            "coins.png",
            "color.png",
            "grass.png",
            "gravel.png",
            "horse.png",
            "hubble_deep_field.jpg",
            "ihc.png",
            "microaneurysms.png",
            "moon.png",
            "motorcycle_left.png",
            "motorcycle_right.png",
            "page.png",
            "retina.jpg",
            "rocket.jpg",
            "text.png",
        ],
    ),
    "sklearn": ("datasets/images", ["china.jpg", "flower.jpg"]),
}


def copy_samples(folder: Path) -> Path:
    """Copy the sample pictures into `folder`; raises StartError if a wheel is not installed."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, (below, names) in _FILES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise StartError("The sample pictures are missing: `pip install scikit-image scikit-learn`.")
        for name in names:
            source = Path(spec.origin).parent / below / name
            if not (folder / name).exists():
                shutil.copyfile(source, folder / name)
    return folder


if __name__ == "__main__":
    copy_samples(Path(sys.argv[1]))
