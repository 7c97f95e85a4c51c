from io import BytesIO

import pytest
from picture_files import FORMATS
from PIL import Image

from sightline.pictures.structure import Structure, check_structure


def file_of(file_format: str) -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, file_format)
    return file.getvalue()


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_whole_file_is_complete(file_format: str) -> None:
    assert check_structure(file_of(file_format), FORMATS[file_format]) is Structure.COMPLETE


@pytest.mark.parametrize("file_format", [one for one in FORMATS if one != "TIFF"])
def test_a_file_without_its_end_is_cut_off(file_format: str) -> None:
    data = file_of(file_format)

    for kept in (12, 20, 40, len(data) // 2, len(data) - 1):
        assert check_structure(data[:kept], FORMATS[file_format]) is Structure.CUT_OFF


def test_a_tiff_without_its_directory_is_cut_off() -> None:
    for kept in (6, 9, 20):
        assert check_structure(file_of("TIFF")[:kept], "tiff") is Structure.CUT_OFF


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "AVIF", "HEIF"])
def test_noise_behind_a_true_beginning_is_damage(file_format: str) -> None:
    kept = {"GIF": 13, "BMP": 6}.get(file_format, 20 if file_format == "JPEG" else 8)
    beginning = bytearray(file_of(file_format)[:kept])
    if file_format == "GIF":
        beginning[10] = 0

    assert check_structure(bytes(beginning) + b"\x99" * 400, FORMATS[file_format]) is Structure.DAMAGED


def test_a_wrong_checksum_in_a_png_is_damage() -> None:
    data = bytearray(file_of("PNG"))
    data[20] ^= 1

    assert check_structure(bytes(data), "png") is Structure.DAMAGED
