"""A stand-in for decoding that misbehaves as the bytes tell it to; decode processes import it."""

import os
import signal
import sys
import time

from sightline.decoder.task import Decoded, DecodePlan, Wanted, decode_picture
from sightline.errors import BadPicture, FailureReason

_kept: list[bytearray] = []


def decode_or_misbehave(data: bytes, plan: DecodePlan, wanted: Wanted) -> Decoded:
    """Do what `data` says; decode it if it says nothing."""
    command, _, argument = data[:40].decode("latin-1").partition(" ")
    match command:
        case "hang":
            time.sleep(3600)
        case "sleep":
            time.sleep(float(argument))
            raise BadPicture(FailureReason.EMPTY, "Slept.")
        case "signal":
            os.kill(os.getpid(), signal.Signals[argument])
        case "exit":
            os._exit(int(argument))
        case "allocate":
            raise BadPicture(FailureReason.EMPTY, f"Allocated {len(bytearray(int(argument)))} bytes.")
        case "keep":
            _kept.append(bytearray(int(argument)))
            raise BadPicture(FailureReason.EMPTY, f"Kept {len(_kept[-1])} bytes.")
        case "raise":
            raise RuntimeError(argument)
        case "pid":
            raise BadPicture(FailureReason.EMPTY, str(os.getpid()))
        case "modules":
            raise BadPicture(FailureReason.EMPTY, " ".join(sys.modules))
    return decode_picture(data, plan, wanted)
