"""What archives and manifests are downloaded within is what the settings say."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hostile_site import Site, Visit

from sightline.buckets import Buckets
from sightline.settings import Settings
from sightline_embedder.errors import SourceError
from sightline_embedder.fetching import Fetcher
from sightline_embedder.sources.download_turns import DownloadTurns
from sightline_embedder.sources.downloads import Downloads

URL = "http://pictures.test/archive.zip"


def leads_elsewhere(visit: Visit) -> None:
    visit.answer(status="302 Found", Location="/moved.zip")


def says_nothing(visit: Visit) -> None:
    visit.stopped.wait()


@pytest.fixture
def downloads(site: Site, make_fetcher: Callable[..., Fetcher], tmp_path: Path) -> Callable[..., Downloads]:
    """Downloads within settings, of a site where the archive has moved."""
    site.routes = {"/archive.zip": leads_elsewhere, "/moved.zip": lambda visit: visit.answer(b"PK")}

    def make(**settings: float) -> Downloads:
        of = Settings(data_dir=tmp_path, min_free_bytes=0, **settings)
        return Downloads.of(of, make_fetcher(), cast(Buckets, None), DownloadTurns())

    return make


def test_an_archive_that_has_moved_is_followed(downloads: Callable[..., Downloads]) -> None:
    with downloads()(URL) as file:
        assert file.read() == b"PK"


def test_no_more_redirects_than_the_settings_allow(downloads: Callable[..., Downloads]) -> None:
    with pytest.raises(SourceError, match="More than 0 redirects"):
        downloads(fetch_max_redirects=0)(URL).__enter__()


def test_no_longer_silence_than_the_settings_allow(site: Site, downloads: Callable[..., Downloads]) -> None:
    silent = downloads(fetch_first_byte_s=0.1)
    site.routes["/archive.zip"] = says_nothing
    with pytest.raises(SourceError) as refused:
        silent(URL).__enter__()
    assert refused.value.code == "fetch_timeout"
