"""A client of the REST API: the only way the command reaches a running Sightline."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from sightline.errors import SettingsError, SightlineError

DEFAULT_URL = "http://127.0.0.1:8000"
_PIECE_BYTES = 1 << 20
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_PASSING = (429, 503)
_RETRY_AFTER_S = 5.0
"""Where no number is given: a proxy in between may give none, or a date."""


class ApiFailure(SightlineError):
    """The API refused or could not be reached; `code` is its stable code, or `unreachable`.

    `retry_after_s` is when the same may be asked again, in seconds; None where that would not help.
    """

    def __init__(self, code: str, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.retry_after_s = retry_after_s


class _Answer(dict[str, Any]):
    """An object in an answer; raises ApiFailure for a field that it lacks."""

    def __missing__(self, name: str) -> Any:
        raise ApiFailure(
            "unexpected", f"The answer has no `{name}`: it is of another version, or of no Sightline."
        )


class ApiClient:
    """Calls of the API that the command needs; answers are the API's JSON."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        """`url` is where the API is; raises ApiFailure and SettingsError for what cannot be used."""
        _check_url(url)
        if api_key and not api_key.isascii():
            raise SettingsError("SIGHTLINE_API_KEY has characters that no key has. Copy the key again.")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = url.rstrip("/")
        self._http = httpx.Client(base_url=self._url, headers=headers, timeout=_TIMEOUT)

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """GET; raises ApiFailure."""
        kept = {name: value for name, value in (parameters or {}).items() if value is not None}
        return self._call("GET", path, params=kept)

    def post(self, path: str, body: Any) -> Any:
        """POST of JSON; raises ApiFailure."""
        return self._call("POST", path, json=body)

    def delete(self, path: str) -> None:
        """DELETE; raises ApiFailure."""
        self._call("DELETE", path)

    def upload(self, files: Sequence[Path], parameters: Mapping[str, str], tags: Sequence[str]) -> Any:
        """Upload picture files as one job; raises ApiFailure, and OSError for a file."""
        with ExitStack() as streams:
            opened = [("files", (path.name, streams.enter_context(path.open("rb")))) for path in files]
            return self._call(
                "POST", "/v1/images", files=opened, params=parameters, data={"tags": list(tags)}
            )

    def upload_one(self, path: str, file: Path, parameters: Mapping[str, Any]) -> Any:
        """POST of one file in a form; raises ApiFailure."""
        with file.open("rb") as stream:
            fields = {name: value for name, value in parameters.items() if value is not None}
            return self._call("POST", path, files={"file": (file.name, stream)}, data=fields)

    def download(self, path: str, file: Path) -> str:
        """GET of a file, to a new one here; its SHA-256. Raises ApiFailure, and OSError for the one here."""
        digest = hashlib.sha256()
        try:
            with self._http.stream("GET", path) as response, file.open("xb") as out:
                if not response.is_success:
                    response.read()
                    raise _failure(response)
                for piece in response.iter_bytes():
                    digest.update(piece)
                    out.write(piece)
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        return digest.hexdigest()

    def put(self, path: str, file: Path) -> None:
        """PUT of a file's bytes; raises ApiFailure, and OSError for the file."""
        with file.open("rb") as stream:
            self._call("PUT", path, content=iter(partial(stream.read, _PIECE_BYTES), b""))

    def pages(self, path: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """All items of a listing, page by page; raises ApiFailure."""
        cursor = None
        while True:
            page = self.get(path, {**(parameters or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        except UnicodeEncodeError as error:
            raise ApiFailure("not_text", f"{error.object!r} is no text in UTF-8.") from error
        if not response.is_success:
            raise _failure(response)
        return None if response.status_code == HTTPStatus.NO_CONTENT else _answer(response)

    def _unreachable(self, error: httpx.RequestError) -> ApiFailure:
        detail = f"No Sightline answers at {self._url} ({error}). Start one with `sightline up`."
        return ApiFailure("unreachable", detail)


def _check_url(url: str) -> None:
    try:
        parsed = httpx.URL(url)
        usable = parsed.scheme in ("http", "https") and bool(parsed.host.encode("idna"))
    except (httpx.InvalidURL, UnicodeError):
        usable = False
    if not usable:
        raise ApiFailure("unreachable", f"'{url}' is no address of an API. Give one like {DEFAULT_URL}.")


def _answer(response: httpx.Response) -> Any:
    try:
        answer = json.loads(response.content, object_hook=_Answer)
    except ValueError:
        answer = None
    if not isinstance(answer, _Answer):
        said = (
            f"{response.request.url} answered with something else than an object in JSON: it is no Sightline."
        )
        raise ApiFailure("unexpected", said)
    return answer


def _failure(response: httpx.Response) -> ApiFailure:
    retry_after_s = _retry_after_s(response)
    try:
        problem = response.json()
        return ApiFailure(problem["code"], problem["detail"], retry_after_s)
    except (ValueError, KeyError, TypeError):
        said = f"{response.request.url} answered {response.status_code}."
        return ApiFailure("unexpected", said, retry_after_s)


def _retry_after_s(response: httpx.Response) -> float | None:
    if response.status_code not in _PASSING:
        return None
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else _RETRY_AFTER_S
