import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.pictures.box import Box

fractions = st.floats(0, 1)


@given(st.lists(fractions, min_size=2, max_size=2), st.lists(fractions, min_size=2, max_size=2))
def test_every_box_with_an_area_shows_at_least_a_pixel(across: list[float], down: list[float]) -> None:
    (left, right), (top, bottom) = sorted(across), sorted(down)
    if left == right or top == bottom:
        with pytest.raises(ValueError, match="a box is"):
            Box(left, top, right, bottom)
        return
    for width, height in ((1, 1), (7, 3), (640, 480)):
        part = Box(left, top, right, bottom).crop(Image.new("RGB", (width, height)))
        assert 1 <= part.width <= width
        assert 1 <= part.height <= height
        assert part.width >= (right - left) * width - 1e-6
        assert part.height >= (bottom - top) * height - 1e-6


def test_a_box_cuts_where_it_says() -> None:
    image = Image.new("RGB", (100, 50), "white")
    image.paste("red", (10, 10, 60, 40))

    part = Box(0.1, 0.2, 0.6, 0.8).crop(image)

    assert part.size == (50, 30)
    assert part.getcolors() == [(1500, (255, 0, 0))]


@pytest.mark.parametrize(
    "sides",
    [
        (0.5, 0, 0.5, 1),
        (0.6, 0, 0.5, 1),
        (0, 0.6, 1, 0.5),
        (-0.1, 0, 1, 1),
        (0, 0, 1.1, 1),
        (float("nan"), 0, 1, 1),
        (0, 0, 1, float("inf")),
    ],
)
def test_what_is_no_part_of_a_picture_is_refused(sides: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="a box is"):
        Box(*sides)
