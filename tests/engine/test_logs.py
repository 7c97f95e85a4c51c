"""At the most talkative level, libraries that would log credentials or pictures say nothing of them."""

import subprocess
import sys

import pytest

QUIET = """
import logging, sys
from sightline.logs import configure_logging

configure_logging("debug", "test")
for name in (sys.argv[1], "sightline"):
    print(logging.getLogger(name).isEnabledFor(logging.DEBUG))
"""


@pytest.mark.parametrize(
    "name", ["botocore.endpoint", "botocore.auth", "botocore.parsers", "urllib3.connectionpool", "httpcore"]
)
def test_talkative_libraries_are_quiet(name: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", QUIET, name], capture_output=True, text=True, check=True
    ).stdout
    assert told.split() == ["False", "True"]
