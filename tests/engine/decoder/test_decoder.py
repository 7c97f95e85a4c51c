import os
import pickle
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.decoder import PictureDecoder, Wanted
from sightline.decoder.task import FOR_THE_INDEX, DecodePlan, decode_picture
from sightline.encoder.artifact import Preprocessing
from sightline.encoder.preprocessing import prepare
from sightline.errors import BadPicture, FailureReason, Unavailable
from sightline.pictures import PictureLimits
from sightline.pictures.box import Box
from sightline.pictures.exif import Location
from sightline.settings import Settings

MIB = 1 << 20
SIDE = 128
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def start(limits: PictureLimits, preprocessing: Preprocessing) -> Iterator[Callable[..., PictureDecoder]]:
    """Start decoders that misbehave on command (see decode_faults); all are closed in the end."""
    started: list[PictureDecoder] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        from decode_faults import decode_or_misbehave

        def start_one(**options: Any) -> PictureDecoder:
            defaults = {
                "limits": limits,
                "preprocessing": preprocessing,
                "thumbnail_side": SIDE,
                "processes": 1,
                "timeout_s": 20.0,
                "memory_bytes": 512 * MIB,
                "decode": decode_or_misbehave,
            }
            started.append(PictureDecoder(**(defaults | options)))
            return started[-1]

        yield start_one
        for decoder in started:
            decoder.close()


@pytest.fixture(scope="module")
def decoder(start: Callable[..., PictureDecoder]) -> PictureDecoder:
    """Two processes, 1.5 seconds for each picture."""
    decoder = start(processes=2, timeout_s=1.5)
    decoder.warm()
    return decoder


@pytest.fixture(scope="module")
def small_memory(start: Callable[..., PictureDecoder]) -> PictureDecoder:
    """One process with 60 megabytes."""
    return start(memory_bytes=60 * MIB, limits=PictureLimits(64 * MIB, 100_000_000))


@pytest.fixture(scope="module")
def photo(china: Image.Image) -> bytes:
    file = BytesIO()
    china.save(file, "JPEG")
    return file.getvalue()


def failure_of(decoder: PictureDecoder, data: bytes) -> BadPicture:
    with pytest.raises(BadPicture) as caught:
        decoder.submit(data).result(timeout=60)
    return caught.value


def pid_of(decoder: PictureDecoder) -> int:
    return int(failure_of(decoder, b"pid").detail)


def wait_until_gone(pids: list[int], timeout_s: float) -> None:
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([descriptor], [], [], timeout_s)
        os.close(descriptor)
        assert ended, f"process {pid} is still there"


def test_a_picture_comes_back_as_from_this_process(
    decoder: PictureDecoder, photo: bytes, limits: PictureLimits, preprocessing: Preprocessing
) -> None:
    expected = decode_picture(photo, DecodePlan(limits, preprocessing, SIDE), FOR_THE_INDEX)

    decoded = decoder.submit(photo).result(timeout=60)

    assert decoded.info == expected.info
    assert decoded.views.dtype == np.uint8
    assert np.array_equal(decoded.views, expected.views)
    assert decoded.thumbnail == expected.thumbnail
    assert decoder.submit(photo, Wanted()).result(timeout=60).thumbnail is None


def test_a_box_of_a_picture_is_seen_upright_and_sharp(
    decoder: PictureDecoder, preprocessing: Preprocessing
) -> None:
    """A box of a large, rotated JPEG gives the views of that part of the picture a person sees."""
    upright = Image.effect_noise((2400, 1600), 90).convert("RGB").resize((2400, 1600))
    upright.paste("red", (1800, 0, 2400, 400))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    out = BytesIO()
    lying.save(out, "JPEG", quality=95, exif=exif)

    box = Box(0.75, 0.0, 1.0, 0.25)
    seen = decoder.submit(out.getvalue(), Wanted(box=box)).result(timeout=60)

    expected = prepare(box.crop(upright), preprocessing)
    assert np.abs(seen.views.astype(int) - expected.astype(int)).mean() < 2
    assert (seen.info.width, seen.info.height) == (2400, 1600)


def test_when_it_was_taken_comes_back(decoder: PictureDecoder) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2023:07:14 09:08:07", 0x9011: "+02:00"})
    file = BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG", exif=exif.tobytes())

    taken_at = decoder.submit(file.getvalue()).result(timeout=60).info.taken_at

    assert taken_at is not None
    assert taken_at.isoformat() == "2023-07-14T09:08:07+02:00"


def test_camera_and_place_come_back_if_asked_for(
    decoder: PictureDecoder, preprocessing: Preprocessing
) -> None:
    exif = Image.Exif()
    exif[0x10F], exif[0x110] = "Example", "Mk II"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (151.0, 15.0, 0.0)})
    file = BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG", exif=exif.tobytes())

    with PictureDecoder.of(Settings(exif_fields=["camera", "gps"]), preprocessing, processes=1) as asked:
        info = asked.submit(file.getvalue()).result(timeout=60).info
    unasked = decoder.submit(file.getvalue()).result(timeout=60).info

    assert (info.camera, info.location) == ("Example Mk II", Location(-33.5, 151.25))
    assert (unasked.camera, unasked.location) == (None, None)


def test_a_bad_picture_comes_back_with_its_reason(decoder: PictureDecoder, photo: bytes) -> None:
    assert failure_of(decoder, b"").reason is FailureReason.EMPTY
    assert failure_of(decoder, photo[:5000]).reason is FailureReason.TRUNCATED


def test_a_decoder_that_hangs_is_stopped(decoder: PictureDecoder, photo: bytes) -> None:
    start = time.monotonic()

    error = failure_of(decoder, b"hang")

    assert error.reason is FailureReason.DECODE_TIMEOUT
    assert "1.5 s" in error.detail
    assert 1.5 <= time.monotonic() - start < 6.0
    assert decoder.submit(photo).result(timeout=60).info.width == 640


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (b"signal SIGSEGV", "signal 11"),
        (b"signal SIGABRT", "signal 6"),
        (b"signal SIGKILL", "signal 9"),
        (b"exit 3", "exit code 3"),
        (b"exit 0", "exit code 0"),
    ],
)
def test_a_decoder_that_crashes_says_how(decoder: PictureDecoder, fault: bytes, ending: str) -> None:
    error = failure_of(decoder, fault)

    assert error.reason is FailureReason.INTERNAL
    assert ending in error.detail


def test_an_error_of_ours_is_told_and_costs_no_process(start: Callable[..., PictureDecoder]) -> None:
    decoder = start()
    pid = pid_of(decoder)

    error = failure_of(decoder, b"raise something-odd")

    assert error.reason is FailureReason.INTERNAL
    assert "RuntimeError: something-odd" in error.detail
    assert pid_of(decoder) == pid


def test_only_errors_of_ours_are_written_to_standard_error(
    start: Callable[..., PictureDecoder], capfd: pytest.CaptureFixture[str], china: Image.Image
) -> None:
    file = BytesIO()
    china.save(file, "TIFF", compression="tiff_lzw")
    decoder = start()
    decoder.warm()

    failure_of(decoder, file.getvalue()[:100_000])
    assert capfd.readouterr().err == ""
    failure_of(decoder, b"raise something-odd")
    assert "RuntimeError: something-odd" in capfd.readouterr().err


def test_a_picture_that_takes_too_much_memory_costs_no_process(start: Callable[..., PictureDecoder]) -> None:
    decoder = start(memory_bytes=300 * MIB)
    pid = pid_of(decoder)

    assert "Allocated" in failure_of(decoder, b"allocate %d" % (200 * MIB)).detail
    assert failure_of(decoder, b"allocate %d" % (400 * MIB)).reason is FailureReason.TOO_MANY_PIXELS
    assert pid_of(decoder) == pid


def test_what_a_process_keeps_counts_for_the_pictures_to_come(start: Callable[..., PictureDecoder]) -> None:
    decoder = start(memory_bytes=300 * MIB)

    assert "Kept" in failure_of(decoder, b"keep %d" % (200 * MIB)).detail
    assert failure_of(decoder, b"keep %d" % (200 * MIB)).reason is FailureReason.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("WEBP", {"method": 0}),
        ("AVIF", {"speed": 10}),
        ("HEIF", {"preset": "ultrafast"}),
    ],
)
def test_a_real_picture_that_takes_too_much_memory(
    small_memory: PictureDecoder, file_format: str, options: dict[str, Any]
) -> None:
    file = BytesIO()
    Image.new("L", (4096, 4096)).save(file, file_format, **options)

    error = failure_of(small_memory, file.getvalue())

    assert error.reason is FailureReason.TOO_MANY_PIXELS
    assert "memory" in error.detail


def test_bad_pictures_cost_the_good_ones_beside_them_nothing(decoder: PictureDecoder, photo: bytes) -> None:
    bad = [b"signal SIGSEGV", b"hang", b"exit 1", b"allocate %d" % (2 << 30), b"raise it", b"hang", b""]
    good, failures = [], []
    for fault in bad:
        good += [decoder.submit(photo) for _ in range(3)]
        failures.append(decoder.submit(fault))
    good += [decoder.submit(photo) for _ in range(3)]

    assert len({one.result(timeout=60).views.tobytes() for one in good}) == 1
    assert [type(one.exception(timeout=60)) for one in failures] == [BadPicture] * len(bad)


def test_waiting_in_the_queue_costs_a_picture_nothing(start: Callable[..., PictureDecoder]) -> None:
    decoder = start(timeout_s=1.0)

    pictures = [decoder.submit(b"sleep 0.25") for _ in range(6)]

    assert [str(one.exception(timeout=60)) for one in pictures] == ["Slept."] * 6


def test_a_process_that_was_killed_while_idle_is_replaced(
    start: Callable[..., PictureDecoder], photo: bytes
) -> None:
    decoder = start()
    for _ in range(3):
        pid = pid_of(decoder)
        os.kill(pid, signal.SIGKILL)
        wait_until_gone([pid], timeout_s=10)
        assert decoder.submit(photo).result(timeout=60).info.format == "jpeg"


def test_ctrl_c_is_left_to_the_parent(start: Callable[..., PictureDecoder]) -> None:
    decoder = start()
    pid = pid_of(decoder)

    os.kill(pid, signal.SIGINT)

    assert pid_of(decoder) == pid
    assert os.getpgid(pid) != os.getpgid(0)


def test_many_threads_may_submit(decoder: PictureDecoder, photo: bytes) -> None:
    with ThreadPoolExecutor(8) as threads:
        sizes = list(threads.map(lambda _: decoder.submit(photo).result(timeout=60).info.bytes, range(40)))

    assert sizes == [len(photo)] * 40


def test_a_picture_that_nobody_waits_for_is_not_decoded(start: Callable[..., PictureDecoder]) -> None:
    decoder = start()
    first, second = decoder.submit(b"sleep 0.3"), decoder.submit(b"hang")

    assert second.cancel()

    with pytest.raises(BadPicture, match="Slept"):
        first.result(timeout=60)
    assert pid_of(decoder) > 0
    with pytest.raises(CancelledError):
        second.result()


def test_close_ends_everything_at_once(start: Callable[..., PictureDecoder]) -> None:
    decoder = start(processes=2)
    decoder.warm()
    pids = [pid_of(decoder) for _ in range(8)]
    pictures = [decoder.submit(b"hang") for _ in range(5)]

    begin = time.monotonic()
    decoder.close()

    assert time.monotonic() - begin < 5.0
    wait_until_gone(pids, timeout_s=0)
    assert not wait(pictures, timeout=0).not_done
    assert [type(one.exception()) for one in pictures] == [Unavailable] * 5
    with pytest.raises(Unavailable, match="closed"):
        decoder.submit(b"hang")
    decoder.close()


def test_closing_while_processes_start(start: Callable[..., PictureDecoder]) -> None:
    with start(processes=2) as decoder:
        picture = decoder.submit(b"hang")

    assert isinstance(picture.exception(timeout=0), Unavailable)


@pytest.mark.parametrize("executable", ["/bin/false", "/nonexistent/python"])
def test_processes_that_cannot_start_are_not_blamed_on_pictures(
    start: Callable[..., PictureDecoder], monkeypatch: pytest.MonkeyPatch, photo: bytes, executable: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    decoder = start()

    with pytest.raises(Unavailable, match="process"):
        decoder.warm()
    with pytest.raises(Unavailable, match="process"):
        decoder.submit(photo).result(timeout=60)
    monkeypatch.undo()
    assert decoder.submit(photo).result(timeout=60).info.format == "jpeg"


def test_a_decode_that_no_other_process_can_import_is_refused_at_once(
    start: Callable[..., PictureDecoder],
) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        start(decode=lambda *_: None)


def test_processes_import_only_what_decoding_needs(decoder: PictureDecoder) -> None:
    modules = set(failure_of(decoder, b"modules").detail.split())

    assert "PIL.Image" in modules
    assert "pillow_heif" in modules
    strangers = {"pytest", "torch", "transformers", "openvino", "celery", "redis", "fastapi", "qdrant_client"}
    assert not strangers & {name.partition(".")[0] for name in modules}


PARENT = """
import select
import signal
import sys
from sightline.decoder import PictureDecoder
from sightline.encoder.artifact import Preprocessing
from sightline.errors import BadPicture
from sightline.pictures import PictureLimits
from decode_faults import decode_or_misbehave

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
preprocessing = Preprocessing(
    size=32, views=("center_crop",), resample="bicubic", mean=(0, 0, 0), std=(1, 1, 1)
)
decoder = PictureDecoder(
    limits=PictureLimits(1 << 20, 1 << 20), preprocessing=preprocessing, thumbnail_side=32,
    processes=1, timeout_s=3600, memory_bytes=1 << 28, decode=decode_or_misbehave,
)
try:
    decoder.submit(b"pid").result()
except BadPicture as error:
    pid = error.detail
if sys.argv[1] == "busy":
    decoder.submit(b"hang")
    decoder.submit(b"hang")
print(pid, flush=True)
# A signal that comes between Python's last look for one and the system call does not wake a wait
# without an end.
while not select.select([sys.stdin], [], [], 0.1)[0]:
    pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a busy child with its parent")
@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_parent(death: signal.Signals, state: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(HERE)},
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        with parent.stdin, parent.stdout:
            child = int(parent.stdout.readline())

            parent.send_signal(death)
            parent.wait(timeout=20)

            wait_until_gone([child], timeout_s=20)
    finally:
        parent.kill()
        parent.wait()
