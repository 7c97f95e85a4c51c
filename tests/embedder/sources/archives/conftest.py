"""Archives in a folder of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive_folder import Archives


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Archives]:
    """Fails a test that left a file anywhere but in the media store."""
    made = Archives(tmp_path)
    yield made
    assert made.files_elsewhere() == set()


@pytest.fixture(scope="session")
def make_archives(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Archives]:
    """Folders for tests that need many."""
    return lambda: Archives(tmp_path_factory.mktemp("archives"))
