"""Whatever is at an address, a client says in a sentence what is wrong with it."""

from pathlib import Path

import pytest
from answering_server import answering

from sightline.errors import SettingsError
from sightline_local.client import ApiClient, ApiFailure


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"null", b'{"a": "\xff"}'])
def test_what_is_no_object_in_json_comes_from_no_sightline(body: bytes) -> None:
    with answering(body) as url, pytest.raises(ApiFailure, match=f"{url}/v1/model answered .* no Sightline"):
        ApiClient(url).get("/v1/model")


def test_an_answer_without_what_is_asked_for_is_named() -> None:
    with answering(b'{"items": [{"id": "1"}], "next_cursor": null}') as url:
        (job,) = ApiClient(url).pages("/v1/jobs")

    assert job == {"id": "1"}
    with pytest.raises(ApiFailure, match="The answer has no `state`"):
        job["state"]


def test_an_answer_that_cannot_be_unpacked_is_a_sentence(tmp_path: Path) -> None:
    with answering(b"nothing packed", {"Content-Encoding": "gzip"}) as url:
        api = ApiClient(url)
        with pytest.raises(ApiFailure, match=f"No Sightline answers at {url}"):
            api.get("/v1/model")
        with pytest.raises(ApiFailure, match=f"No Sightline answers at {url}"):
            api.download("/v1/exports/1/manifest.json", tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://x", "http://", "http://a..b", "http://::1:8000"]
)
def test_what_is_no_address_is_said_before_anything_is_asked(url: str) -> None:
    with pytest.raises(ApiFailure, match=r"is no address of an API\. Give one like http://"):
        ApiClient(url)


def test_a_key_that_no_header_can_carry_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_API_KEY"):
        ApiClient("http://127.0.0.1:1", "schlüssel")


def test_a_name_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    api = ApiClient("http://127.0.0.1:1")
    named = tmp_path / "caf\udce9.jpg"
    named.write_bytes(b"picture")

    with pytest.raises(ApiFailure, match="no text in UTF-8") as told:
        api.upload([named], {}, [])
    assert told.value.code == "not_text"
    with pytest.raises(ApiFailure, match="no text in UTF-8"):
        api.post("/v1/ingest", {"source": {"kind": "folder", "path": str(named)}})
