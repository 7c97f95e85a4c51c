"""The page's files: all of them are installed with the gateway, and what others wrote is named."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from sightline_api.routes.page import FILES

ROOT = Path(__file__).resolve().parents[2]
VENDOR = FILES / "vendor"


def fetched() -> dict[str, str]:
    """The versions that the script fetches, by package."""
    script = (ROOT / "scripts/vendor-page-libraries").read_text()
    return dict(re.findall(r"^fetch (\S+) (\S+) ", script, re.MULTILINE))


def listed() -> dict[str, str]:
    """The versions that the table names, by package."""
    table = (VENDOR / "README.md").read_text()
    return dict(re.findall(r"^\| ([a-z@][^ |]*) \| (\d\S*) \|", table, re.MULTILINE))


def test_every_file_of_the_page_is_in_the_wheel(tmp_path: Path) -> None:
    source = tmp_path / "api"
    # Building leaves files beside what it builds from, and takes in those of an earlier build.
    shutil.copytree(ROOT / "services/api", source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--disable-pip-version-check", "--wheel-dir", str(tmp_path), str(source)], check=True
    )
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = {
            name: archive.read(name) for name in archive.namelist() if name.startswith("sightline_api/web/")
        }
    assert packed == {
        f"sightline_api/web/{path.relative_to(FILES).as_posix()}": path.read_bytes()
        for path in FILES.rglob("*")
        if path.is_file()
    }


def test_the_table_of_libraries_is_what_the_script_fetches() -> None:
    assert "lit-html" in listed()
    assert listed() == fetched()


def test_every_folder_of_the_libraries_is_in_the_table() -> None:
    folders = {path.name for path in VENDOR.iterdir() if path.is_dir()}
    assert folders == {package.partition("/")[0] for package in listed()}


@pytest.mark.parametrize("package", listed())
def test_every_library_comes_with_its_licence(package: str) -> None:
    licences = [path for path in (VENDOR / package).iterdir() if re.match(r"(?i)licen[cs]e", path.name)]
    assert licences
    assert all(path.read_text().strip() for path in licences)
