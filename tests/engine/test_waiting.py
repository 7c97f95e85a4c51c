"""Waiting for services at the start."""

from threading import Event

import pytest
from structlog.testing import capture_logs

from sightline import waiting
from sightline.errors import SettingsError, Unavailable
from sightline.waiting import await_services


class Service:
    """Answers after it has been asked a number of times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def ping(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("It", "it starts")


@pytest.fixture(autouse=True)
def retry_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "RETRY_S", 0.001)
    monkeypatch.setattr(waiting, "REMIND_S", 0.003)


def test_says_whom_it_waits_for_and_when_they_answer() -> None:
    with capture_logs() as logs:
        assert await_services({"Redis": Service(0).ping, "the index": Service(4).ping}, Event())
    said = [(line["event"], line.get("waiting_for", line.get("waited_for"))) for line in logs]
    waited = [("waiting_for_service", "the index")] * 2
    assert said == [*waited, ("service_answers", "the index")]


def test_stops_when_told() -> None:
    stopping = Event()
    stopping.set()
    assert not await_services({"Redis": Service(1).ping}, stopping)


def test_other_errors_are_not_waited_out() -> None:
    def refuse() -> None:
        raise SettingsError("The key is wrong.")

    with pytest.raises(SettingsError):
        await_services({"Redis": refuse}, Event())
