"""A collection gets another model while people search it and upload to it."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cached_models
import pytest
from migration_labs import BUILT_WITHIN_S, Lab, edge_lab, models_folder, server_lab, until
from migration_traffic import Traffic, fill

COLLECTION = "images"
SERVED_WITHIN_S = 5.0


@pytest.fixture(scope="session")
def models(tiny_clip_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two models of different dimensions: `first` (32) and `second` (48)."""
    scratch = tmp_path_factory.mktemp("second-model")
    shape = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = shape | {"image_size": 32, "patch_size": 16}
    cached_models.save_clip(
        scratch / "second", shape | {"vocab_size": 520}, vision, specials=(518, 519), dimension=48
    )
    cached_models.build(str(scratch / "second"), scratch / "artifact")
    return models_folder(scratch / "models", {"first": tiny_clip_artifact, "second": scratch / "artifact"})


@pytest.fixture(params=["edge", "server"])
def open_lab(request: pytest.FixtureRequest, tmp_path: Path, models: Path) -> Callable[..., Any]:
    """Opens a lab over each engine."""
    lab: Callable[..., AbstractContextManager[Lab]] = edge_lab if request.param == "edge" else server_lab
    (tmp_path / "photos").mkdir()
    return lambda: lab(tmp_path, models, "first", tmp_path / "photos")


@pytest.mark.parametrize("pictures", [200, pytest.param(20_000, marks=pytest.mark.long)])
def test_a_collection_is_migrated_while_it_serves(
    open_lab: Callable[..., Any], tmp_path: Path, pictures: int
) -> None:
    known = fill(tmp_path / "photos" / "all", pictures)
    with open_lab() as lab:
        try:
            _migrate_under_traffic(lab, tmp_path / "photos" / "all", known)
        except BaseException:
            sys.stderr.write(lab.log())
            raise


def _migrate_under_traffic(lab: Lab, photos: Path, known: set[str]) -> None:
    assert lab.ingest(photos, COLLECTION)["counts"]["indexed"] == len(known)
    first = lab.space(lab.api, COLLECTION)
    with Traffic(lab.gateways, COLLECTION, first_number=len(known)) as traffic:
        until(lambda: traffic.searches >= 5, "people search")
        migration = lab.migrate(model="second")
        second = migration["space"]
        assert (migration["state"], first != second) == ("building", True)
        _paused_and_resumed(lab, migration["id"])
        lab.kill_embedder()
        lab.kill_gateway()
        lab.in_state(migration["id"], "ready", BUILT_WITHIN_S)
        # Its start would count as part of the switch.
        until(lambda: lab.gateways[0].get("/readyz").is_success, "the gateway is back")
        assert lab.space(lab.api, COLLECTION) == first, "nothing has changed before the switch"
        report = lab.act(migration["id"], "report", judged=[{"query": "cat", "relevant": [min(known)]}])
        lab.act(migration["id"], "switch")
        switched_s = lab.seconds_until_served(COLLECTION, second)
        lab.act(migration["id"], "rollback")
        rolled_back_s = lab.seconds_until_served(COLLECTION, first)
        lab.act(migration["id"], "switch")
        lab.seconds_until_served(COLLECTION, second)
    for job_id in traffic.jobs:
        assert lab.ended_job(job_id)["counts"]["failed"] == 0
    sys.stderr.write(
        f"\n{traffic.searches} searches, {len(traffic.uploaded)} uploads; served {switched_s:.2f} s "
        f"after the switch and {rolled_back_s:.2f} s after the rollback; report {report}\n"
    )
    assert not traffic.faults, traffic.faults[:10]
    assert traffic.spaces == {first, second}
    assert max(switched_s, rolled_back_s) < SERVED_WITHIN_S
    _assert_report(report, len(known))
    _assert_all_there(lab, known | traffic.uploaded, second)
    _finished(lab, migration["id"], second)
    _aborted(lab, second, known | traffic.uploaded)


def _paused_and_resumed(lab: Lab, migration_id: str) -> None:
    assert lab.act(migration_id, "pause")["state"] == "paused"

    def quiet() -> bool:
        """Batches that were under way have ended, and no others came."""
        seen = [lab.migration(migration_id)["job"]["counts"] for _ in range(3)]
        return seen[0]["pending"] == 0 and seen[0] == seen[1] == seen[2]

    def planned() -> int:
        total: int = lab.migration(migration_id)["job"]["counts"]["total"]
        return total

    until(quiet, "what was under way ends")
    assert lab.migration(migration_id)["state"] == "paused"
    # Before it goes on: afterwards all may be planned before anybody looks.
    begun = planned()
    assert lab.act(migration_id, "resume")["state"] == "building"
    until(lambda: planned() > begun, "it goes on")


def _assert_report(report: Any, pictures: int) -> None:
    assert report["points_old"] >= pictures
    assert (report["from_thumbnails"], report["lost"]) == (0, {})
    assert report["live_queries"]["queries"] > 0
    assert 0 <= report["live_queries"]["overlap_at_10"] <= 1
    assert report["pictures"]["queries"] > 0
    assert report["judged"]["queries"] == 1


def _assert_all_there(lab: Lab, ids: set[str], space: str) -> None:
    found = lab.images(COLLECTION)
    assert found.keys() == ids
    assert {image["model"]["space"] for image in found.values()} == {space}
    assert {image["model"]["encoded_from"] for image in found.values()} == {None}


def _finished(lab: Lab, migration_id: str, space: str) -> None:
    until(lambda: len(lab.stored()) == 2, "no more is stored than both versions")
    assert lab.act(migration_id, "finish")["state"] == "finished"
    until(lambda: len(lab.stored()) == 1, "nothing of the old version is stored")
    lab.kill_gateway()
    until(lambda: lab.gateways[0].get("/readyz").is_success, "the gateway is back")
    assert lab.space(lab.gateways[0], COLLECTION) == space, "though SIGHTLINE_MODEL names the first model"


def _aborted(lab: Lab, space: str, ids: set[str]) -> None:
    until(lambda: len(lab.stored()) == 1, "no graph is being built in a folder of its own")
    kept = lab.stored()
    migration = lab.migrate(model="first")
    until(lambda: lab.migration(migration["id"])["progress"]["points_new"], "some of it is built")
    assert lab.act(migration["id"], "abort")["state"] == "aborted"
    until(lambda: lab.stored() == kept, "nothing of the new version is stored")
    assert lab.space(lab.api, COLLECTION) == space
    assert lab.images(COLLECTION).keys() == ids
