"""The page on security names the tests that hold what it says: they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", PAGE)


def test_every_test_that_is_named_is_there() -> None:
    assert len(NAMED) > 30
    for path, name in NAMED:
        assert (ROOT / path).exists(), path
        if name:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


def test_no_test_is_named_in_another_way() -> None:
    assert len(re.findall(r"test_\w+\.py", PAGE)) == len([path for path, _ in NAMED if path.endswith(".py")])
