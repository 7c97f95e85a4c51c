"""From what goes wrong on the way to a reason and a sentence."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching.limits import Deadline, FetchLimits
from sightline_embedder.fetching.network import ForbiddenAddress
from sightline_embedder.fetching.urls import Target

_MAX_FAULT_CHARACTERS = 120
_PASSING_LOOKUP_ERRORS = frozenset({socket.EAI_AGAIN, socket.EAI_SYSTEM})


class TransientFailure(BadPicture):
    """A failure that may pass; `retry_after_s` is how long the server asks to be left alone."""

    def __init__(self, reason: FailureReason, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.retry_after_s = retry_after_s


@contextmanager
def failures_named(target: Target, limits: FetchLimits, deadline: Deadline, slowness: str) -> Iterator[None]:
    """Raise what the network raises as BadPicture, with a sentence about `target`.

    `slowness` says what `target` did not do within `limits.first_byte_s`.
    """
    try:
        yield
    except ForbiddenAddress as error:
        raise BadPicture(
            FailureReason.ADDRESS_FORBIDDEN,
            f"{target.shown} is not fetched: the address of its host is not a public one. An operator may "
            f"allow its network in SIGHTLINE_FETCH_ALLOWED_NETWORKS.",
        ) from error
    except socket.gaierror as error:
        if error.errno in _PASSING_LOOKUP_ERRORS:
            sentence = f"{target.shown} cannot be fetched: the name service does not know its host just now."
            raise _failed(sentence) from error
        sentence = f"{target.shown} cannot be fetched: its host's name has no address. Check the name."
        raise _failed(sentence, passing=False) from error
    except httpcore.TimeoutException as error:
        if deadline.remaining_s() == 0:
            slowness = f"was not fetched within {limits.total_s:g} s"
        raise TransientFailure(FailureReason.FETCH_TIMEOUT, f"{target.shown} {slowness}.") from error
    except httpcore.ConnectError as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            why = error.__cause__.verify_message
            sentence = f"{target.shown} cannot be fetched: its host's certificate is not valid: {why}."
            raise _failed(sentence, passing=False) from error
        raise _failed(f"{target.shown} cannot be fetched: its host takes no connection: {error}.") from error
    except httpcore.NetworkError as error:
        raise _failed(f"{target.shown} cannot be fetched: the connection was lost: {error}.") from error
    except httpcore.ProtocolError as error:
        why = str(error)[:_MAX_FAULT_CHARACTERS]
        raise _failed(
            f"{target.shown} cannot be fetched: the answer is no whole HTTP answer: {why}"
        ) from error


def _failed(sentence: str, *, passing: bool = True) -> BadPicture:
    kind = TransientFailure if passing else BadPicture
    return kind(FailureReason.FETCH_FAILED, sentence)
