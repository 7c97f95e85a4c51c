import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.encoder.artifact import Preprocessing, View
from sightline.encoder.preprocessing import prepare

MEAN_ABSOLUTE_DIFFERENCE = 0.001
SIZES = [
    (333, 517),
    (1023, 300),
    (20, 20),
    (1, 500),
    (500, 1),
    (224, 224),
    (225, 224),
    (640, 427),
    (448, 672),
    (600, 1000),
]


def spec_of(view: View, resample: str = "bicubic", size: int = 224) -> Preprocessing:
    return Preprocessing.model_validate(
        {
            "size": size,
            "views": [view],
            "resample": resample,
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
        }
    )


def normalised(views: NDArray[np.uint8], spec: Preprocessing) -> NDArray[np.float32]:
    pixels = (views[0] / 255 - np.array(spec.mean)) / np.array(spec.std)
    return pixels.astype(np.float32)


def photo_of(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A part of a real photo, enlarged where it is too small: resampling filters differ on its detail."""
    width, height = size
    return photo.resize((max(640, width), max(427, height))).crop((0, 0, width, height))


def reference(image: Image.Image, spec: Preprocessing) -> NDArray[np.float32]:
    """The pixel values of the processor that transformers uses where torchvision is not installed."""
    transformers = pytest.importorskip("transformers")
    if spec.views == (View.CENTER_CROP,):
        processor = transformers.CLIPImageProcessorPil(
            size={"shortest_edge": spec.size}, crop_size={"height": spec.size, "width": spec.size}
        )
    else:
        processor = transformers.SiglipImageProcessorPil(
            size={"height": spec.size, "width": spec.size}, image_mean=spec.mean, image_std=spec.std
        )
    pixels = np.asarray(processor(image, return_tensors="np")["pixel_values"])[0]
    return np.moveaxis(pixels, 0, -1)


@pytest.mark.parametrize("view", [View.CENTER_CROP, View.STRETCH])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pixels_are_those_of_the_reference_processor(
    china: Image.Image, view: View, size: tuple[int, int]
) -> None:
    spec, image = spec_of(view), photo_of(china, size)

    difference = np.abs(normalised(prepare(image, spec), spec) - reference(image, spec)).mean()

    assert difference <= MEAN_ABSOLUTE_DIFFERENCE


@pytest.mark.parametrize("size", [(333, 517), (1023, 300), (640, 427)], ids=str)
def test_the_bound_catches_another_resampling(china: Image.Image, size: tuple[int, int]) -> None:
    spec, image = spec_of(View.CENTER_CROP, "bilinear"), photo_of(china, size)

    difference = np.abs(normalised(prepare(image, spec), spec) - reference(image, spec)).mean()

    assert difference > MEAN_ABSOLUTE_DIFFERENCE


def test_the_bound_catches_a_crop_that_is_one_pixel_off(china: Image.Image) -> None:
    spec, image = spec_of(View.CENTER_CROP), photo_of(china, (333, 517))

    shifted = np.roll(normalised(prepare(image, spec), spec), 1, axis=0)

    assert np.abs(shifted - reference(image, spec)).mean() > MEAN_ABSOLUTE_DIFFERENCE


def test_stretch_keeps_all_four_corners(corners: Image.Image) -> None:
    view = prepare(corners, spec_of(View.STRETCH, size=32))[0]

    for y, x, quarter in [(0, 0, (0, 0)), (0, -1, (63, 0)), (-1, -1, (63, 31)), (-1, 0, (0, 31))]:
        assert tuple(view[y, x]) == corners.getpixel(quarter)


def test_letterbox_shows_the_whole_picture_between_white_bars(corners: Image.Image) -> None:
    view = prepare(corners, spec_of(View.LETTERBOX, size=32))[0]

    assert (view[:8] == 255).all()
    assert (view[24:] == 255).all()
    assert tuple(view[8, 0]) == (200, 30, 30)
    assert tuple(view[23, 31]) == (30, 30, 200)


def test_letterbox_keeps_a_line_of_a_very_long_picture() -> None:
    view = prepare(Image.new("RGB", (5000, 1), "black"), spec_of(View.LETTERBOX))[0]

    assert (view == 0).any()


def test_a_very_long_picture_is_cropped_without_being_enlarged_first() -> None:
    # Enlarged whole, this one would take 112 gigabytes.
    view = prepare(Image.new("RGB", (1, 500_000), "red"), spec_of(View.CENTER_CROP))[0]

    assert (view == (255, 0, 0)).all()


def test_views_come_in_the_order_of_the_spec(corners: Image.Image) -> None:
    both = spec_of(View.LETTERBOX).model_copy(update={"views": (View.CENTER_CROP, View.LETTERBOX)})

    views = prepare(corners, both)

    assert views.shape == (2, 224, 224, 3)
    assert views.dtype == np.uint8
    assert np.array_equal(views[0], prepare(corners, spec_of(View.CENTER_CROP))[0])
    assert np.array_equal(views[1], prepare(corners, spec_of(View.LETTERBOX))[0])


def test_an_image_that_is_not_rgb_is_refused() -> None:
    with pytest.raises(ValueError, match="mode L"):
        prepare(Image.new("L", (8, 8)), spec_of(View.STRETCH))
