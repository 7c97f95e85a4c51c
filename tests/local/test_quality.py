"""The figures of docs/quality.md, measured again by the commands that stand beside them."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAPTIONED = ROOT / ".cache" / "captioned"
PAGE = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
PACKAGES = {"gcompris": "gcompris-qt-data", "stamps": "tuxpaint-stamps-default"}
TITLES = {"gcompris": "GCompris", "stamps": "Tux Paint stamps"}
COLUMNS = {
    "queries": "queries",
    "recall@1": "recall_at_1",
    "recall@5": "recall_at_5",
    "recall@10": "recall_at_10",
    "nDCG@10": "ndcg_at_10",
    "MRR": "mrr",
    "relevant": "relevance_precision",
    "kept": "relevance_kept",
}


def documented(captioned: str) -> dict[str, str]:
    """The figures of a set as they are printed, by their names in the output."""
    rows = [
        [cell.strip().strip("*") for cell in line.strip("| \n").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("|")
    ]
    [head] = [row for row in rows if "nDCG@10" in row]
    [row] = [row for row in rows if row[0].startswith(TITLES[captioned])]
    return {COLUMNS[name]: figure for name, figure in zip(head[1:], row[1:], strict=True)}


def run(captioned: str, command: str, *more: str) -> "subprocess.CompletedProcess[str]":
    """A command as the page has it, for one of the sets, by this interpreter."""
    [line] = re.findall(rf"^{command}.* \.cache/quality/{captioned}\b.*$", PAGE, re.MULTILINE)
    words = shlex.split(line.replace("sightline eval", "python -m sightline_local eval"))
    return subprocess.run(
        [sys.executable, *words[1:], *more], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.long
@pytest.mark.parametrize("captioned", PACKAGES)
def test_one_command_gives_the_documented_figures_and_fails_below_a_bar(
    captioned: str, starter_artifact: Path
) -> None:
    if not (CAPTIONED / PACKAGES[captioned]).is_dir():
        pytest.skip(f"python -m bench.captioned {captioned} FOLDER fetches the photos, and has not been run")
    written = run(captioned, "python -m bench.captioned")
    assert written.returncode == 0, written.stderr
    printed = documented(captioned)

    # What is printed is rounded: 0.345 may stand for 0.3446.
    bars = [f"{name}={float(figure) - 0.0005}" for name, figure in printed.items()]
    met = run(captioned, "sightline eval", "--json", *(word for bar in bars for word in ("--bar", bar)))
    missed = run(captioned, "sightline eval", "--bar", f"mrr={float(printed['mrr']) + 0.01}")

    assert met.returncode == 0, met.stderr
    [row] = json.loads(met.stdout)["rows"]
    assert {name: as_printed(row[name]) for name in printed} == printed
    assert missed.returncode == 1, missed.stderr
    assert "mrr misses its bar" in missed.stdout


def as_printed(figure: Any) -> str:
    return str(figure) if isinstance(figure, int) else f"{figure:.3f}"
