"""`sightline demo`: what a newcomer sees first."""

import json
import os
import subprocess
import sys
from pathlib import Path

RIGHT = {
    "a cat": {"chelsea.png"},
    "a cup of coffee": {"coffee.png"},
    "a rocket": {"rocket.jpg"},
    "the moon": {"moon.png"},
    "coins": {"coins.png"},
    "a horse": {"horse.png"},
    "a motorcycle": {"motorcycle_left.png", "motorcycle_right.png"},
    "a clock": {"clock_motion.png"},
    "a temple": {"china.jpg"},
    "a photographer with a camera": {"camera.png"},
}


def test_demo_indexes_real_pictures_and_finds_them(tmp_path: Path, starter_artifact: Path) -> None:
    command = [sys.executable, "-m", "sightline_local", "demo", "--json", "--data", str(tmp_path)]
    environment = {**os.environ, "SIGHTLINE_MODEL": str(starter_artifact)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)

    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    assert [job["state"] for job in results["jobs"]] == ["succeeded"]
    assert results["jobs"][0]["counts"]["indexed"] >= 20
    first = {text: hits[0]["picture"] for text, hits in results["texts"].items()}
    assert first.keys() == RIGHT.keys()
    assert sum(first[text] in right for text, right in RIGHT.items()) >= 8, first
    assert results["by_copy"][0]["picture"] == "chelsea.png"
    assert results["by_copy"][0]["id"] not in {hit["id"] for hit in results["similar"]}
