"""With what status an embedder ends: its supervisor starts it again after a 1, and gives up at a 2."""

import pytest

from sightline.errors import ModelError, SettingsError, SightlineError, StorageFull, Unavailable
from sightline_embedder import __main__ as command


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unavailable("Redis", "connection refused."), 1),
        (StorageFull("The media store", "no room."), 1),
        (SettingsError("These settings contradict each other."), 2),
        (ModelError("There is no such model."), 2),
    ],
)
def test_what_may_pass_is_no_reason_to_give_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: SightlineError, status: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(command, "configure_logging", lambda *_: None)
    monkeypatch.setattr(command, "run_worker", fail)
    assert command.main() == status
    assert capsys.readouterr().err == f"sightline embedder: {error}\n"
