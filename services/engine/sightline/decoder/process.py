"""A decode process: decodes the pictures it is sent, one at a time, in limits of its own.

It runs code on bytes that strangers made, so its answers are data (JSON and raw pixels), never
pickles: a decoder that was taken over cannot make its parent run anything.
"""

import ctypes
import json
import logging
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from sightline.decoder.memory import MemoryBudget, return_large_blocks
from sightline.decoder.task import Decoded, DecodePlan, Wanted
from sightline.errors import BadPicture, FailureReason
from sightline.look import HASH_BITS
from sightline.pictures import PictureInfo, register_decoders
from sightline.pictures.exif import Location

READY = b"ready"
_PR_SET_PDEATHSIG = 1
_LENGTH_BYTES = 4
_HASH = f"[0-9a-f]{{{HASH_BITS // 4}}}"

Decode = Callable[[bytes, DecodePlan, Wanted], Decoded]


@dataclass(frozen=True)
class Assignment:
    """What the parent sends first; `memory_bytes` comes on top of what the process holds when it is ready."""

    decode: Decode
    plan: DecodePlan
    memory_bytes: int
    parent: int


def main() -> None:
    """Serve the connection whose descriptor is the first argument, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the parent's to answer
    _silence_decoders()
    return_large_blocks()
    with Connection(int(sys.argv[1])) as connection:
        try:
            assignment: Assignment = connection.recv()
            _end_with(assignment.parent)
            register_decoders()
            if find_spec("imagehash"):  # An embedder has it, and it is loaded before memory is bounded.
                import_module("sightline.pictures.perceptual_hash")
            _leave_no_core_file()
            budget = MemoryBudget(assignment.memory_bytes)
            connection.send_bytes(READY)
            while True:
                wanted: Wanted = connection.recv()
                connection.send_bytes(_answer(assignment, budget, connection.recv_bytes(), wanted))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _answer(assignment: Assignment, budget: MemoryBudget, data: bytes, wanted: Wanted) -> bytes:
    try:
        with budget.enforced():
            return _pack(assignment.decode(data, assignment.plan, wanted))
    except BadPicture as error:
        return _pack_failure(error.reason, error.detail)
    except MemoryError:
        return _pack_failure(
            FailureReason.TOO_MANY_PIXELS,
            "Decoding this picture takes more memory than the memory limit allows.",
        )
    except Exception as error:
        traceback.print_exc()
        return _pack_failure(
            FailureReason.INTERNAL, f"Preparing the picture failed with {type(error).__name__}: {error}"
        )


def _pack(decoded: Decoded) -> bytes:
    info = decoded.info
    views = [np.ascontiguousarray(one) for one in (decoded.views, *decoded.other_views)]
    head = {
        "format": info.format,
        "width": info.width,
        "height": info.height,
        "bytes": info.bytes,
        "taken_at": info.taken_at.isoformat() if info.taken_at else None,
        "camera": info.camera,
        "location": [info.location.lat, info.location.lon] if info.location else None,
        "shapes": [one.shape for one in views],
        "perceptual_hash": decoded.perceptual_hash,
        "has_thumbnail": decoded.thumbnail is not None,
    }
    return _join(head, b"".join(one.tobytes() for one in views) + (decoded.thumbnail or b""))


def _pack_failure(reason: FailureReason, detail: str) -> bytes:
    return _join({"reason": reason, "detail": detail}, b"")


def _join(head: dict[str, Any], body: bytes) -> bytes:
    encoded = json.dumps(head).encode()
    return len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded + body


def unpack(answer: bytes) -> Decoded:
    """What a decode process answered; raises the BadPicture it sent, ValueError or KeyError for nonsense."""
    start = _LENGTH_BYTES + int.from_bytes(answer[:_LENGTH_BYTES], "big")
    head = json.loads(answer[_LENGTH_BYTES:start])
    if "reason" in head:
        raise BadPicture(FailureReason(head["reason"]), head["detail"])
    found = []
    for shape in head["shapes"]:
        size = int(np.prod(shape))
        found.append(np.frombuffer(answer, dtype=np.uint8, count=size, offset=start).reshape(shape))
        start += size
    views, *others = found
    info = PictureInfo(
        format=head["format"],
        width=head["width"],
        height=head["height"],
        bytes=head["bytes"],
        taken_at=datetime.fromisoformat(head["taken_at"]) if head["taken_at"] else None,
        camera=head["camera"],
        location=Location(*head["location"]) if head["location"] else None,
    )
    return Decoded(
        info=info,
        views=views,
        other_views=tuple(others),
        thumbnail=answer[start:] if head["has_thumbnail"] else None,
        perceptual_hash=_checked_hash(head["perceptual_hash"]),
    )


def _checked_hash(digits: str | None) -> str | None:
    if digits is not None and re.fullmatch(_HASH, digits) is None:
        raise ValueError("the perceptual hash is none")
    return digits


def _silence_decoders() -> None:
    """Leave standard error to errors of ours: C libraries print a line for every fault of a file there,
    and Pillow logs some."""
    logging.disable()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, even while a decoder hangs (Linux).

    Elsewhere the closed connection ends it as soon as the picture at hand is done.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:
            os._exit(1)


def _leave_no_core_file() -> None:
    """A decoder that crashes would else write its whole memory to disk, one picture after another."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
