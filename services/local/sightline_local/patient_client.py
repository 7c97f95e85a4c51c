"""A client for work that nobody watches every second of: what the API has no room for now is asked again."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay

from sightline_local.client import ApiClient, ApiFailure

PATIENCE_S = 3600.0
"""For one request; who has to wait for longer is told, and comes back."""


class PatientApiClient(ApiClient):
    """Waits for as long as the API says where it answers 429 or 503, and asks again; in the end ApiFailure.

    Calls that may be made twice are made so: getting, posting and uploading.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        tell: Callable[[ApiFailure, float], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`tell` is told before each wait of why, and of how many seconds."""
        super().__init__(url, api_key)
        self._tell = tell
        self._attempts = Retrying(
            retry=retry_if_exception(lambda error: _wait_s(error) is not None),
            wait=lambda state: _wait_s(_failure_of(state)) or 0.0,
            stop=stop_before_delay(PATIENCE_S),
            before_sleep=self._before_sleep,
            sleep=sleep,
            reraise=True,
        )

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """See ApiClient."""
        return self._attempts(super().get, path, parameters)

    def post(self, path: str, body: Any) -> Any:
        """See ApiClient."""
        return self._attempts(super().post, path, body)

    def upload(self, files: Sequence[Path], parameters: Mapping[str, str], tags: Sequence[str]) -> Any:
        """See ApiClient."""
        return self._attempts(super().upload, files, parameters, tags)

    def _before_sleep(self, state: RetryCallState) -> None:
        failure = _failure_of(state)
        assert isinstance(failure, ApiFailure)
        self._tell(failure, state.upcoming_sleep)


def _failure_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _wait_s(error: BaseException | None) -> float | None:
    return error.retry_after_s if isinstance(error, ApiFailure) else None
