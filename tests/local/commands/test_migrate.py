"""`sightline migrate` on a stack: from start to end, in tables and in JSON."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def migrate(stack: Any, *words: str, fails: bool = False) -> str:
    command = [sys.executable, "-m", "sightline_local", "migrate", *words, "--url", str(stack.api.base_url)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(ended.returncode) is fails, ended.stderr
    return ended.stderr if fails else ended.stdout


def test_a_quantization_is_changed_and_the_old_version_deleted(run_tiny_stack: Any, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    from skimage import data as skimage_data

    for name in ("coffee.png", "chelsea.png"):
        (photos / name).write_bytes((Path(skimage_data.__file__).parent / name).read_bytes())
    (tmp_path / "judged.jsonl").write_text(
        json.dumps({"query": "a cat", "relevant": [(photos / "chelsea.png").as_uri()]})
    )
    with run_tiny_stack(tmp_path / "data", photos) as stack:
        stack.ended_job(stack.ingest(photos), within_s=240)
        assert "There is no model 'none'" in migrate(stack, "start", "--model", "none", fails=True)
        started = json.loads(migrate(stack, "start", "--quantization", "int8", "--json"))
        assert (started["state"], started["progress"]["points_new"]) == ("ready", 2)
        report = json.loads(
            migrate(stack, "report", started["id"], "--judged", str(tmp_path / "judged.jsonl"), "--json")
        )
        assert report["judged"]["old"] == report["judged"]["new"], "the vectors were copied"
        assert "is ready" in migrate(stack, "rollback", started["id"], fails=True)
        assert "switched" in migrate(stack, "switch", started["id"])
        assert "finished" in migrate(stack, "finish", started["id"])
        (listed,) = json.loads(migrate(stack, "list", "--json"))
        assert (listed["id"], listed["state"]) == (started["id"], "finished")
        assert stack.api.get("/v1/collections/images").json()["quantization"] == "int8"
