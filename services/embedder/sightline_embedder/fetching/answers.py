"""What the status and the headers of an answer mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching.failures import TransientFailure

_WHOLE = frozenset({200, 203})
_WITHOUT_BODY = frozenset({204, 205})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DENIED = frozenset({401, 403})
_GONE = frozenset({404, 410})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_RETRY_AFTER_S = 60.0
"""A host that asks for more is not asked again by the same fetch."""
_MAX_NUMBER_DIGITS = 18


@dataclass(frozen=True)
class Answer:
    """The head of a response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]

    @classmethod
    def of(cls, response: httpcore.Response) -> "Answer":
        """Read the head; headers that come twice are joined by commas, as HTTP says."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("ascii").lower(), raw_value.decode("utf-8", "replace").strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(response.status, headers)

    @property
    def location(self) -> str | None:
        """Where a redirect leads."""
        return self.headers.get("location") if self.status in _REDIRECTS else None

    @property
    def length(self) -> int | None:
        """Bytes of the body as it is sent, where the answer says so."""
        return _number(self.headers.get("content-length", ""))

    @property
    def coding(self) -> str:
        """How the body is compressed, in lower case."""
        return self.headers.get("content-encoding", "").lower()

    @property
    def modified_at(self) -> datetime | None:
        """When the host says that the picture was last changed."""
        return _moment(self.headers.get("last-modified", ""))

    @property
    def retry_after_s(self) -> float:
        """Seconds for which the host asks to be left alone; 0 when it does not."""
        text = self.headers.get("retry-after", "")
        seconds = _number(text)
        if seconds is not None:
            return float(seconds)
        moment = _moment(text)
        return 0.0 if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def require_picture(answer: Answer, shown: str) -> None:
    """Raise BadPicture with the status's reason unless the answer carries the whole of what was asked."""
    if answer.status in _WHOLE:
        return
    what = f"{shown} answers with status {answer.status}"
    if answer.status in _WITHOUT_BODY:
        raise BadPicture(FailureReason.EMPTY, f"{what}, without any bytes.")
    if answer.status in _GONE:
        raise BadPicture(FailureReason.NOT_FOUND, f"{what}: there is nothing there.")
    if answer.status in _DENIED:
        raise BadPicture(FailureReason.ACCESS_DENIED, f"{what}: its host does not give it to us.")
    if answer.status in _PASSING:
        wait_s = answer.retry_after_s
        if wait_s > _MAX_RETRY_AFTER_S:
            raise BadPicture(FailureReason.FETCH_FAILED, f"{what} and asks to come back in {wait_s:.0f} s.")
        raise TransientFailure(FailureReason.FETCH_FAILED, f"{what}; try again later.", wait_s)
    if answer.status in _REDIRECTS:
        raise BadPicture(FailureReason.FETCH_FAILED, f"{what}, a redirect that does not say where to.")
    raise BadPicture(FailureReason.FETCH_FAILED, f"{what} instead of a picture.")


def _number(text: str) -> int | None:
    plain = text.isascii() and text.isdigit() and len(text) <= _MAX_NUMBER_DIGITS
    return int(text) if plain else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
