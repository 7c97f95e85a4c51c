"""Errors as messages."""

import msgspec
import pytest

from sightline.errors import (
    BadRequest,
    CollectionNotFound,
    FieldNotIndexed,
    ImageNotFound,
    SettingsError,
    SightlineError,
    SpaceMismatch,
    Unavailable,
)
from sightline.index.edge import wire


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("No."),
        CollectionNotFound("images"),
        FieldNotIndexed("colour", ("tags", "format")),
        ImageNotFound("images", "7"),
        SettingsError("Two of them."),
        SpaceMismatch("images", "a", "b"),
        Unavailable("the index", "it is full"),
    ],
)
def test_errors_keep_class_sentence_and_attributes(error: SightlineError) -> None:
    sent = msgspec.msgpack.encode(wire.failed(error))
    reply = msgspec.msgpack.decode(sent, type=wire.Reply)
    assert isinstance(reply, wire.Failed)
    read = wire.error_of(reply)
    assert (type(read), str(read), vars(read)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("name", ["OSError", "Sequence", "FailureReason", "nothing"])
def test_only_our_errors_are_made(name: str) -> None:
    read = wire.error_of(wire.Failed(name, "what happened", {}))
    assert isinstance(read, Unavailable)
    assert "what happened" in str(read)
