"""The `sightline` command against a running stack, as a user types it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from running_stack import READY_S

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg")
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in PHOTOS:
        shutil.copyfile(photo_folder / name, folder / name)
    (folder / "broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def stack(run_stack: Any, tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Any]:
    limits = {"SIGHTLINE_MAX_PICTURE_BYTES": str(MOST_BYTES)}
    with run_stack(tmp_path_factory.mktemp("data"), pictures, environment=limits) as stack:
        yield stack


def sightline(*words: str, url: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    if url:
        environment["SIGHTLINE_URL"] = url
    return subprocess.run(
        [sys.executable, "-m", "sightline_local", *words],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        check=False,
    )


def from_json(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_index_search_similar_and_jobs(stack: Any, pictures: Path) -> None:
    url = str(stack.api.base_url)

    # A folder the API may read is not copied; the broken picture makes the status 1 and is named.
    indexed = sightline("index", str(pictures), "--json", url=url)
    assert indexed.returncode == 1, indexed.stderr
    (job,) = json.loads(indexed.stdout)
    assert (job["kind"], job["counts"]["indexed"], job["counts"]["failed"]) == ("folder", 3, 1)
    again = sightline("index", str(pictures), url=url)
    assert "0 indexed, 3 unchanged, 1 failed" in again.stdout
    assert "not_an_image" in again.stdout

    found = from_json(sightline("search", "a cat", "--limit", "2", "--json", url=url))
    assert found["hits"][0]["image"]["sources"][0]["uri"].endswith("chelsea.png")
    assert len(found["hits"]) == 2
    table = sightline("search", "a cat", url=url, COLUMNS="200").stdout
    assert "chelsea.png" in table
    assert found["hits"][0]["image"]["id"] in table

    by_picture = from_json(sightline("search", "--image", str(pictures / "rocket.jpg"), "--json", url=url))
    rocket = by_picture["hits"][0]["image"]
    assert rocket["sources"][0]["uri"].endswith("rocket.jpg")
    similar = from_json(sightline("similar", rocket["id"], "--json", url=url))
    assert rocket["id"] not in {hit["image"]["id"] for hit in similar["hits"]}

    cat = found["hits"][0]["image"]["id"]
    steered = ("search", "a cat", "--like", rocket["id"], "--unlike", cat, "--box", "0,0,1,0.9", "--explain")
    hits = from_json(sightline(*steered, "--json", url=url))["hits"]
    assert [part["weight"] for part in hits[0]["parts"]] == [1.0, 1.0, -0.5]
    assert {rocket["id"], cat}.isdisjoint(hit["image"]["id"] for hit in hits)
    assert "part 3" in sightline(*steered, url=url, COLUMNS="200").stdout
    assert sightline("search", "a cat", "--box", "0,0,1,1", url=url).returncode == 2
    assert sightline("search", "--like", cat, "--box", "a,b", url=url).returncode == 2

    said = from_json(sightline("classify", cat, "a cat", "a rocket", "--json", url=url))["labels"]
    assert [one["label"] for one in said] == ["a cat", "a rocket"]
    assert "a rocket" in sightline("classify", str(pictures / "rocket.jpg"), "a rocket", url=url).stdout

    counted = from_json(sightline("facets", "format", "--json", url=url))["values"]
    assert sum(one["count"] for one in counted) == 3
    assert "jpeg" in sightline("facets", "format", url=url).stdout

    judged = pictures.parent / "judged.jsonl"
    lines = [{"query": "a cat", "relevant": [cat]}, {"query": "a rocket", "relevant": [rocket["id"]]}]
    judged.write_text("\n".join(json.dumps(line) for line in lines))
    measured = from_json(sightline("eval", str(judged), "--bar", "recall@1=1", "--json", url=url))
    assert (measured["queries"], measured["recall_at_1"], measured["mrr"]) == (2, 1.0, 1.0)
    missed = sightline("eval", str(judged), "--bar", "mrr=1.01", "--exact", url=url)
    assert (missed.returncode, "missed" in missed.stdout) == (1, True)
    assert sightline("eval", str(judged), "--bar", "beauty=1", url=url).returncode == 2

    listed = from_json(sightline("jobs", "--json", url=url))
    assert [one["state"] for one in listed] == ["partial", "partial"]
    one = from_json(sightline("jobs", job["id"], "--json", url=url))
    assert [failure["reason"] for failure in one["failures"]] == ["not_an_image"]


def test_eval_finds_the_same_with_and_without_a_running_sightline(
    stack: Any, tmp_path: Path, photo_folder: Path, starter_artifact: Path
) -> None:
    url = str(stack.api.base_url)
    captions = {"chelsea.png": "a cat", "coffee.png": "a cup of coffee", "horse.png": "the moon"}
    for name, caption in captions.items():
        shutil.copyfile(photo_folder / name, tmp_path / name)
        (tmp_path / name).with_suffix(".txt").write_text(caption)
    from_json(sightline("index", str(tmp_path), "--collection", "captioned", "--json", url=url))

    running = from_json(sightline("eval", str(tmp_path), "--collection", "captioned", "--json", url=url))
    [row] = from_json(sightline("eval", str(tmp_path), "--model", str(starter_artifact), "--json"))["rows"]

    assert row["model"] == running["model"]
    figures = [
        name for name in running if not name.endswith("_ms") and name not in ("model", "exact", "below")
    ]
    assert {"recall_at_1", "ndcg_at_10", "mrr", "relevance_precision", "relevance_kept"} <= set(figures)
    assert {name: row[name] for name in figures} == {name: running[name] for name in figures}
    assert running["mrr"] < 1
    assert min(running["encode_ms"], running["index_ms"]) > 0


def test_jobs_are_retried_followed_and_canceled(stack: Any, pictures: Path) -> None:
    url = str(stack.api.base_url)
    job = stack.ingest(pictures)
    stack.ended_job(job, within_s=60)

    # What is no picture fails again: status 1, and the new job says of which it is.
    again = sightline("jobs", job, "--retry", "--reason", "not_an_image", "--follow", "--json", url=url)
    assert again.returncode == 1, again.stderr
    retried = json.loads(again.stdout)
    assert (retried["kind"], retried["counts"]["total"]) == ("retry", 1)
    assert [failure["reason"] for failure in retried["failures"]] == ["not_an_image"]

    nothing = sightline("jobs", job, "--retry", "--reason", "empty", url=url)
    assert nothing.returncode == 2
    assert "No picture of job" in nothing.stderr

    canceled = from_json(sightline("jobs", job, "--cancel", "--json", url=url))
    assert canceled["state"] == "partial"
    wrong = sightline("jobs", "--retry", url=url)
    assert wrong.returncode == 2
    assert "name the job" in wrong.stderr


def test_duplicates_and_what_a_search_makes_of_them(stack: Any, tmp_path: Path, photo_folder: Path) -> None:
    url = str(stack.api.base_url)
    assert "No scan has been made" in sightline("duplicates", url=url).stderr
    with Image.open(photo_folder / "coffee.png") as photo:
        for width in (600, 300):
            photo.convert("RGB").resize((width, width * 2 // 3)).save(tmp_path / f"coffee-{width}.jpg")
    from_json(sightline("index", str(tmp_path), "--json", url=url))

    found = from_json(sightline("duplicates", "--scan", "--json", url=url))
    group = found["items"][0]["images"]
    names = {Path(image["sources"][0]["uri"].removeprefix("upload:")).name for image in group}
    assert names >= {"coffee-600.jpg", "coffee-300.jpg"}
    assert "coffee-300.jpg" in sightline("duplicates", url=url, COLUMNS="200").stdout

    query = ("search", "a cup of coffee", "--limit", "1", "--json")
    assert from_json(sightline(*query, url=url))["hits"][0]["hidden"] == 0
    collapsed = from_json(sightline(*query, "--collapse", "perceptual", url=url))
    assert collapsed["hits"][0]["hidden"] >= 1

    told = from_json(sightline("search", "eine tasse", "--lang", "de", "--json", url=url))
    assert [warning["code"] for warning in told["warnings"]] == ["lang_without_effect"]


def test_a_folder_the_api_may_not_read_is_uploaded_once(
    stack: Any, tmp_path: Path, photo_folder: Path
) -> None:
    url = str(stack.api.base_url)
    shutil.copyfile(photo_folder / "brick.png", tmp_path / "brick.png")
    (tmp_path / "notes.txt").write_text("not a picture, and not sent")

    (job,) = from_json(sightline("index", str(tmp_path), "--json", url=url))
    assert (job["kind"], job["counts"]["total"], job["counts"]["indexed"]) == ("upload", 1, 1)

    assert from_json(sightline("index", str(tmp_path), "--json", url=url)) == []


def test_files_that_cannot_be_uploaded_are_named_and_cost_no_other(
    stack: Any, tmp_path: Path, photo_folder: Path
) -> None:
    url = str(stack.api.base_url)
    dangling, large = tmp_path / "a [red] link.jpg", tmp_path / "large.jpg"
    dangling.symlink_to(tmp_path / "nothing.jpg")
    large.write_bytes(bytes(8 * MOST_BYTES))
    shutil.copyfile(photo_folder / "grass.png", tmp_path / "grass.png")

    ended = sightline("index", str(tmp_path), "--json", url=url)

    (job,) = json.loads(ended.stdout)
    assert (job["kind"], job["state"], job["counts"]["total"]) == ("upload", "succeeded", 1)
    assert ended.returncode == 1
    named, refused = ended.stderr.splitlines()
    assert named == f"Not sent: {dangling}: No such file or directory"
    assert refused.startswith(f"Not sent: {large}: File 'large.jpg'")

    only = sightline("index", str(dangling.parent / "large.jpg"), "--json", url=url)
    assert (only.returncode, json.loads(only.stdout)) == (1, [])


def test_nobody_there_is_one_sentence_and_status_2() -> None:
    ended = sightline("search", "a cat", url="http://127.0.0.1:1")
    assert ended.returncode == 2
    assert ended.stderr.startswith("sightline: No Sightline answers at http://127.0.0.1:1")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("format", [("--json",), ()])
def test_output_without_room_is_one_sentence_and_status_2(format: Sequence[str]) -> None:
    command = [sys.executable, "-m", "sightline_local", "plan", "1000", *format]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, "sightline: No space left on device.\n")


@pytest.mark.parametrize("words", [("caf\udce9",), ("a cat", "--lang", "x" * 9)])
def test_words_that_cannot_be_looked_for_are_an_invalid_value(words: Sequence[str]) -> None:
    ended = sightline("search", *words)
    assert ended.returncode == 2
    assert "Invalid value" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_model_that_cannot_be_loaded_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    ended = sightline(
        "up",
        "--data",
        str(tmp_path),
        "--port",
        str(free_port()),
        SIGHTLINE_MODEL="no-such-model",
        HF_HUB_OFFLINE="1",
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("sightline: Model 'no-such-model' is neither")
    assert len(ended.stderr.splitlines()) == 1


def test_port_that_is_taken_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = sightline("up", "--data", str(tmp_path), "--port", str(port))
    assert ended.returncode == 2
    assert f"Port {port} on 127.0.0.1 cannot be used" in ended.stderr


def test_addresses_of_ipv6_are_served(tmp_path: Path, tiny_clip_artifact: Path) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    words = ("up", "--data", str(tmp_path), "--host", "::", "--port", str(port))
    settings = {"SIGHTLINE_MODEL": str(tiny_clip_artifact), "SIGHTLINE_ALLOW_ANONYMOUS": "true"}
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "sightline_local", *words],
            env={**os.environ, **settings},
            stdout=out,
            stderr=out,
        )
    try:
        ready = f"Sightline is ready on http://[::1]:{port}"
        deadline = time.monotonic() + READY_S
        while ready not in log.read_text():
            assert up.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert from_json(sightline("jobs", "--json", url=f"http://[::1]:{port}")) == []
    finally:
        up.terminate()
    assert up.wait(60) == 0


def test_bind_that_others_reach_wants_a_key(tmp_path: Path) -> None:
    ended = sightline("up", "--data", str(tmp_path), "--host", "0.0.0.0", "--port", str(free_port()))
    assert ended.returncode == 2
    assert "SIGHTLINE_API_KEY" in ended.stderr


def test_doctor_finds_what_is_wrong_and_what_to_do(tmp_path: Path, starter_artifact: Path) -> None:
    good = sightline(
        "doctor",
        "--json",
        "--data",
        str(tmp_path),
        "--port",
        str(free_port()),
        SIGHTLINE_MODEL=str(starter_artifact),
    )
    assert all(one["ok"] for one in from_json(good))

    (tmp_path / "file").write_text("x")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        bad = sightline(
            "doctor",
            "--json",
            "--data",
            str(tmp_path / "file"),
            "--port",
            port,
            SIGHTLINE_MODEL="none",
            HF_HUB_OFFLINE="1",
        )
    assert bad.returncode == 1
    wrong = {one["check"]: one["detail"] for one in json.loads(bad.stdout) if not one["ok"]}
    assert {"port", "model", "data folder"} <= set(wrong)
    assert "--port" in wrong["port"]


def test_a_model_says_what_it_is(starter_artifact: Path) -> None:
    assert from_json(sightline("model", "info", str(starter_artifact), "--json"))["name"] == "starter"


@pytest.mark.long
def test_a_model_is_verified(starter_artifact: Path) -> None:
    measured = from_json(sightline("model", "verify", str(starter_artifact), "--json"))
    assert measured["image_cosine_f32"] > 0.999


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
