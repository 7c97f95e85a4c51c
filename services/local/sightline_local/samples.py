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
    """Copy the sample pictures into `folder`; raises StartError if they are not there or cannot be copied."""
    try:
        _copy(folder)
    except OSError as error:
        raise StartError(
            f"The sample pictures cannot be copied to {folder}: {error.strerror}. Choose another folder."
        ) from error
    return folder


def _copy(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for package, (below, names) in _FILES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise StartError("The sample pictures are missing: `pip install scikit-image scikit-learn`.")
        for name in names:
            source = Path(spec.origin).parent / below / name
            if not (folder / name).exists():
                # One that was broken off is not to be taken for the picture.
                unfinished = folder / f".{name}"
                shutil.copyfile(source, unfinished)
                unfinished.replace(folder / name)


if __name__ == "__main__":
    try:
        copy_samples(Path(sys.argv[1]))
    except StartError as told:
        sys.exit(f"sightline: {told}")
