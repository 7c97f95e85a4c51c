"""Decoding and the encoder, each alone on all cores, through the parts that an embedder runs."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import cycle
from statistics import mean, median

import numpy as np

from sightline.decoder import Decoded, PictureDecoder, usable_cores
from sightline.encoder import Encoder
from sightline.errors import BadPicture
from sightline_local.errors import BenchError
from sightline_local.picture_sample import PictureSample

BATCH = 32
_TEXT = "a dog that runs along the beach in the evening"
_DISK_BLOCK_BYTES = 4096


@dataclass(frozen=True)
class UsablePictures:
    """Pictures that can be decoded, and the mean size of their thumbnails on disk.

    `skipped` is how many of the sample could not be used, read or decoded.
    """

    files: Sequence[bytes]
    thumbnail_bytes: float
    skipped: int


def usable_pictures(decoder: PictureDecoder, sample: PictureSample, seconds: float) -> UsablePictures:
    """Decode each picture once, as many as there is time for; raises BenchError if none can be."""
    futures = [decoder.submit(data) for data in sample.files]
    wait(futures, timeout=seconds)
    files: list[bytes] = []
    thumbnails: list[int] = []
    faults = list(sample.faults)
    for data, future in zip(sample.files, futures, strict=True):
        if future.cancel():
            continue
        try:
            thumbnail = future.result().thumbnail
        except BadPicture as error:
            faults.append(error.detail)
            continue
        files.append(data)
        thumbnails.append(len(thumbnail or b""))
    if not files:
        raise BenchError(
            f"None of the pictures looked at can be used. The first: {faults[0]} Name another folder."
        )
    blocks = [-(-size // _DISK_BLOCK_BYTES) for size in thumbnails]
    return UsablePictures(files, mean(blocks) * _DISK_BLOCK_BYTES, len(faults))


def decoded_per_s(decoder: PictureDecoder, files: Sequence[bytes], seconds: float) -> float:
    """Pictures that come out of the decode processes, thumbnails included, while all of them are busy."""
    supply = cycle(files)
    under_way: deque[Future[Decoded]] = deque()
    done, took_s, started = 0, 0.0, time.perf_counter()
    while took_s < seconds or under_way:
        while took_s < seconds and len(under_way) < 2 * usable_cores():
            under_way.append(decoder.submit(next(supply)))
        under_way.popleft().result()
        done += 1
        took_s = time.perf_counter() - started
    return done / took_s


def encoded_per_s(encoder: Encoder, seconds: float) -> float:
    """Pictures of full batches, after one that is not counted."""
    spec = encoder.manifest.preprocessing
    shape = (BATCH, len(spec.views), spec.size, spec.size, 3)
    views = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    encoder.encode_views(views)
    return BATCH / mean(_seconds_each(lambda: encoder.encode_views(views), seconds))


def text_ms(encoder: Encoder, seconds: float) -> float:
    """Milliseconds that one short text takes, the median."""
    encoder.encode_texts([_TEXT])
    return median(_seconds_each(lambda: encoder.encode_texts([_TEXT]), seconds)) * 1e3


def _seconds_each(work: Callable[[], object], seconds: float) -> Sequence[float]:
    """How long each call took; there is one at least."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times
