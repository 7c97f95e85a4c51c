"""Collections leave one Sightline as files and arrive in another, by the command, as a user does it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sightline.index import SearchQuery
from sightline.index.edge.client import EdgeClient
from sightline.index.server.index import ServerIndex
from sightline_local.data_folder import data_folder_at

WAITING = f"/v1/imports/{'5' * 32}/export.json"
TAKEN = 60
QUERIES = ("a cat", "a cup of coffee", "a rocket", "the night sky", "fur")


def sightline(stack: Any, *arguments: str, code: int = 0, **more: str) -> str:
    """What the command prints on standard output, or if it fails on standard error."""
    environment = {**os.environ, "SIGHTLINE_URL": str(stack.api.base_url), **more}
    command = [sys.executable, "-m", "sightline_local", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == code, f"{ended.stdout}\n{ended.stderr}\n{stack.log.read_text()[-3000:]}"
    return ended.stdout if code == 0 else ended.stderr


def images(stack: Any, collection: str = "images") -> dict[str, Any]:
    """All pictures by id, without what names the collection."""
    found: dict[str, Any] = {}
    cursor = None
    while True:
        asked = {"limit": 200, "collection": collection} | ({"cursor": cursor} if cursor else {})
        page = stack.api.get("/v1/images", params=asked).json()
        for image in page["items"]:
            found[image["id"]] = {name: value for name, value in image.items() if not name.endswith("_url")}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def rankings(stack: Any, ids: list[str], collection: str = "images") -> list[list[tuple[str, float]]]:
    queries = [[{"text": text}] for text in QUERIES] + [[{"image_id": one}] for one in ids]
    found = []
    for query in queries:
        body = {"query": query, "limit": 20, "collection": collection}
        hits = stack.api.post("/v1/search", json=body).json()["hits"]
        found.append([(hit["image"]["id"], round(hit["score"], 5)) for hit in hits])
    return found


@pytest.fixture(scope="module")
def here(run_tiny_stack: Any, many_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("pictures")
    for path in sorted(many_pictures.iterdir())[:TAKEN]:
        shutil.copy(path, folder)
    with run_tiny_stack(tmp_path_factory.mktemp("here"), folder) as stack:
        job = stack.ended_job(
            stack.ingest(folder, tags=["crop"], metadata={"shelf": {"row": 3}}), within_s=100
        )
        assert job["counts"]["indexed"] == TAKEN
        yield stack


@pytest.fixture(scope="module")
def exported(here: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "images"
    told = json.loads(sightline(here, "export", str(folder), "--json"))
    assert told["points"] == TAKEN
    return folder


@pytest.fixture(scope="module")
def there(run_tiny_stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with run_tiny_stack(tmp_path_factory.mktemp("there"), tmp_path_factory.mktemp("no-pictures")) as stack:
        yield stack


def test_an_export_arrives_with_ids_payload_thumbnails_and_rankings(
    here: Any, there: Any, exported: Path
) -> None:
    assert {path.name for path in exported.iterdir()} == {"export.json", "points-00000.parquet"}

    job = json.loads(sightline(there, "import", str(exported), "--json"))

    assert (job["kind"], job["state"], job["counts"]["indexed"]) == ("import", "succeeded", TAKEN)
    mine, theirs = images(here), images(there)
    assert theirs == mine
    assert rankings(there, list(mine)[:10]) == rankings(here, list(mine)[:10])
    some = next(iter(mine))
    thumbnails = [stack.api.get(f"/v1/images/{some}/thumbnail").content for stack in (here, there)]
    assert thumbnails[0] == thumbnails[1]
    assert thumbnails[0][:4] == b"RIFF"


def test_a_second_import_changes_nothing(there: Any, exported: Path) -> None:
    before = images(there)
    job = json.loads(sightline(there, "import", str(exported), "--json"))
    assert (job["counts"]["indexed"], job["counts"]["unchanged"]) == (0, TAKEN)
    assert images(there) == before


def test_nothing_is_left_on_the_servers(here: Any, there: Any, exported: Path) -> None:
    sightline(there, "import", str(exported))
    for stack, kind in ((here, "exports"), (there, "imports")):
        left = stack.log.parent / kind
        assert not left.is_dir() or [path.name for path in left.iterdir() if path.name != ".unfinished"] == []


def test_a_taken_folder_is_refused(here: Any, exported: Path) -> None:
    assert "is not empty" in sightline(here, "export", str(exported), code=2)


def test_an_export_without_its_manifest_is_none(there: Any, exported: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(exported, half)
    (half / "export.json").unlink()
    said = sightline(there, "import", str(half), "--collection", "half", code=1)
    assert "export.json" in said.replace("\n", ""), "lines are broken where they are full"
    assert there.api.get("/v1/collections/half").status_code == 404


def test_exports_go_to_no_folder_that_is_not_allowed(here: Any, tmp_path: Path) -> None:
    told = sightline(here, "export", "--on-server", str(tmp_path / "out"), code=2)
    assert "SIGHTLINE_EXPORT_ROOTS" in told


@pytest.fixture(scope="module")
def backup(here: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Taken while the stack works on a job, and a file waits to be imported."""
    assert here.api.put(WAITING, content=b"{}").is_success
    folder = tmp_path_factory.mktemp("backups") / "today"
    told = sightline(here, "backup", str(folder), "--data", str(here.log.parent), "--json")
    assert json.loads(told)["index"] == "edge"
    return folder


def test_a_backup_taken_while_it_runs_is_all_there(
    here: Any, backup: Path, run_tiny_stack: Any, tmp_path: Path
) -> None:
    data = tmp_path / "restored"
    sightline(here, "restore", str(backup), "--data", str(data))
    assert "not empty" in sightline(here, "restore", str(backup), "--data", str(data), code=2)

    with run_tiny_stack(data, tmp_path) as restored:
        assert (data / WAITING.removeprefix("/v1/")).read_bytes() == b"{}"
        mine, theirs = images(here), images(restored)
        assert theirs == mine
        assert rankings(restored, list(mine)[:5]) == rankings(here, list(mine)[:5])
        some = next(iter(mine))
        for what in ("thumbnail", "similar"):
            assert restored.api.get(f"/v1/images/{some}/{what}").is_success
        jobs = [stack.api.get("/v1/jobs").json()["items"] for stack in (here, restored)]
        assert {job["id"] for job in jobs[1]} <= {job["id"] for job in jobs[0]}
        assert any(job["counts"]["indexed"] == TAKEN for job in jobs[1])
        (tmp_path / "empty").mkdir()
        job = restored.ended_job(restored.ingest(tmp_path / "empty"), within_s=60)
        assert job["finished_at"]

    again = tmp_path / "again"
    told = sightline(here, "backup", str(again), "--data", str(data), "--json")
    assert json.loads(told)["media_files"] == json.loads((backup / "backup.json").read_text())["media_files"]


def test_an_embedded_stack_moves_to_a_server(
    here: Any, backup: Path, qdrant_double_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "stopped"
    sightline(here, "restore", str(backup), "--data", str(data))
    there = {"SIGHTLINE_QDRANT_URL": qdrant_double_url, "SIGHTLINE_DATA_DIR": str(tmp_path / "server")}

    told = sightline(here, "move", "--from", str(data), "--json", **there)
    assert json.loads(told)["points"]["images"] == TAKEN
    sightline(here, "move", "--from", str(data), **there)

    edge = EdgeClient(data_folder_at(here.log.parent).index_socket)
    server = ServerIndex.at(qdrant_double_url)
    try:
        mine = edge.scroll("images", after=None, limit=1000)
        theirs = server.scroll("images", after=None, limit=1000)
        assert [(one.id, one.payload) for one in theirs] == [(one.id, one.payload) for one in mine]
        for point in mine[:10]:
            assert point.vector is not None
            query = SearchQuery(vector=point.vector, space=point.payload.space, limit=20)
            hits = [
                [(hit.id, round(hit.score, 5)) for hit in index.search("images", query)]
                for index in (edge, server)
            ]
            assert hits[0] == hits[1]
    finally:
        server.drop_collection("images")
        server.close()
        edge.close()
    assert list((tmp_path / "server" / "media").rglob("*.webp"))


def test_a_running_stack_is_not_moved(here: Any, qdrant_double_url: str) -> None:
    data = str(here.log.parent)
    told = sightline(here, "move", "--from", data, code=2, SIGHTLINE_QDRANT_URL=qdrant_double_url)
    assert "running" in told
