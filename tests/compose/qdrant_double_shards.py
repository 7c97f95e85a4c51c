"""What the double keeps: collections as shards of Qdrant Edge, and what is known of them in one file.

Part of `qdrant_double.py`; the one place of the double that imports the engine.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np
import qdrant_edge as edge

Json = dict[str, Any]


class Refused(Exception):
    """A request that a Qdrant server would answer with this status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Collection:
    """An open shard and what it was made with; `about` is what the catalog records."""

    about: Json
    shard: edge.EdgeShard


class Shards:
    """Collections below one folder. What a call has written survives the end of the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._catalog = folder / "catalog.json"
        self._alias_file = folder / "aliases.json"
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        known = json.loads(self._catalog.read_text()) if self._catalog.exists() else {}
        self._aliases: dict[str, str] = (
            json.loads(self._alias_file.read_text()) if self._alias_file.exists() else {}
        )
        self._kept = tempfile.TemporaryDirectory(prefix="snapshots-")
        self._snapshots = Path(self._kept.name)
        for leftover in set(folder.iterdir()) - {
            self._catalog,
            self._alias_file,
            *(folder / a["folder"] for a in known.values()),
        }:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        self._open = {
            name: Collection(about, edge.EdgeShard.load(str(folder / about["folder"])))
            for name, about in known.items()
        }

    def names(self) -> list[str]:
        with self._lock:
            return list(self._open)

    def create(self, name: str, vectors: Json, metadata: Json, params: Json | None = None) -> None:
        with self._lock:
            if name in self._open or name in self._aliases:
                raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
            about = {"folder": uuid4().hex, "vectors": vectors, "metadata": metadata, "schema": {}}
            about["params"] = params or {}
            distance = getattr(edge.Distance, vectors["distance"])
            config = edge.EdgeConfig(
                vectors=edge.EdgeVectorParams(size=vectors["size"], distance=distance), wal_enabled=True
            )
            (self._folder / about["folder"]).mkdir()
            self._open[name] = Collection(
                about, edge.EdgeShard.create(str(self._folder / about["folder"]), config)
            )
            self._write()

    def drop(self, name: str) -> bool:
        with self._lock:
            collection = self._open.pop(name, None)
            if collection is None:
                return False
            self._aliases = {alias: one for alias, one in self._aliases.items() if one != name}
            self._write()
            self._write_aliases()
            collection.shard.close()
            shutil.rmtree(self._folder / collection.about["folder"])
            return True

    def aliases(self) -> dict[str, str]:
        with self._lock:
            return dict(self._aliases)

    def change_aliases(self, actions: Sequence[Json]) -> None:
        """All of the actions, or none where one is refused."""
        with self._lock:
            changed = dict(self._aliases)
            for action in actions:
                if told := action.get("delete_alias"):
                    changed.pop(told["alias_name"], None)
                    continue
                told = action["create_alias"]
                if told["alias_name"] in self._open:
                    raise Refused(409, f"Wrong input: Collection `{told['alias_name']}` already exists!")
                if told["collection_name"] not in self._open:
                    raise Refused(404, f"Not found: Collection `{told['collection_name']}` doesn't exist!")
                changed[told["alias_name"]] = told["collection_name"]
            self._aliases = changed
            self._write_aliases()

    def take_snapshot(self, name: str) -> Json:
        """A zip file of the flushed shard and what is known of it."""
        with self._lock:
            found = self._named(name)
            found.shard.flush()
            file = self._snapshots / f"{name}-{uuid4().hex}.snapshot"
            folder = self._folder / found.about["folder"]
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("about.json", json.dumps(found.about))
                for path in sorted(folder.rglob("*")):
                    archive.write(path, f"shard/{path.relative_to(folder)}")
        data = file.read_bytes()
        return {"name": file.name, "size": len(data), "checksum": hashlib.sha256(data).hexdigest()}

    def snapshot_file(self, snapshot: str) -> Path:
        return self._snapshots / Path(snapshot).name

    def forget_snapshots(self, name: str) -> bool:
        for file in self._snapshots.glob(f"{name}-*.snapshot"):
            file.unlink()
        return True

    def recover(self, name: str, data: bytes) -> None:
        with self._lock:
            folder = uuid4().hex
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                about = json.loads(archive.read("about.json")) | {"folder": folder}
                for member in archive.namelist():
                    if member.startswith("shard/"):
                        archive.extract(member, self._folder / f"{folder}.new")
            (self._folder / f"{folder}.new" / "shard").rename(self._folder / folder)
            (self._folder / f"{folder}.new").rmdir()
            self._open[name] = Collection(about, edge.EdgeShard.load(str(self._folder / folder)))
            self._write()

    def describe(self, name: str) -> tuple[Json, int]:
        with self._lock:
            found = self._named(name)
            return found.about, found.shard.count(edge.CountRequest(exact=True))

    def update(self, name: str, metadata: Json, params: Json) -> None:
        with self._lock:
            self._named(name).about["metadata"] |= metadata
            self._named(name).about["params"] |= params
            self._write()

    def index_field(self, name: str, field: str, kind: str) -> None:
        with self._lock:
            found = self._named(name)
            schema = getattr(edge.PayloadSchemaType, kind.capitalize())
            found.shard.update(edge.UpdateOperation.create_field_index(field, schema))
            found.about["schema"][field] = kind
            self._write()

    def upsert(self, name: str, points: Sequence[Json], mode: str) -> None:
        with self._lock:
            found = self._named(name)
            for point in points:
                if len(point["vector"]) != found.about["vectors"]["size"]:
                    raise Refused(400, "Wrong input: Vector dimension error")
            modes = {"upsert": "Upsert", "insert_only": "InsertOnly", "update_only": "UpdateOnly"}
            made = [edge.Point(point["id"], point["vector"], point.get("payload") or {}) for point in points]
            update_mode = getattr(edge.UpdateMode, modes[mode])
            found.shard.update(edge.UpdateOperation.upsert_points(made, update_mode=update_mode))

    def set_payload(self, name: str, payload: Json, filter: Json, key: str | None) -> None:
        with self._lock:
            shard = self._named(name).shard
            shard.update(edge.UpdateOperation.set_payload_by_filter(_filter(filter), payload, key))

    def delete_payload(self, name: str, keys: Sequence[str], filter: Json) -> None:
        with self._lock:
            shard = self._named(name).shard
            shard.update(edge.UpdateOperation.delete_payload_by_filter(_filter(filter), list(keys)))

    def delete_matching(self, name: str, filter: Json) -> None:
        with self._lock:
            self._named(name).shard.update(edge.UpdateOperation.delete_points_by_filter(_filter(filter)))

    def delete(self, name: str, ids: Sequence[str]) -> None:
        with self._lock:
            self._named(name).shard.update(edge.UpdateOperation.delete_points(list(ids)))

    def retrieve(self, name: str, ids: Sequence[str], *, with_vector: bool) -> list[Json]:
        with self._lock:
            return [_record(one) for one in self._named(name).shard.retrieve(list(ids), True, with_vector)]

    def query(self, name: str, body: Json) -> list[Json]:
        told = body["query"]
        if isinstance(told, dict) and "sample" in told:
            return self._sample(name, body)
        request = edge.QueryRequest(
            query=_query(told),
            filter=_filter(body.get("filter")),
            limit=body["limit"],
            offset=body.get("offset") or 0,
            params=edge.SearchParams(exact=bool((body.get("params") or {}).get("exact"))),
            with_payload=True,
            with_vector=bool(body.get("with_vector")),
        )
        with self._lock:
            found = self._named(name)
            return [
                _record(one) | {"version": one.version, "score": one.score}
                for one in found.shard.query(request)
            ]

    def _sample(self, name: str, body: Json) -> list[Json]:
        request = edge.QueryRequest(
            query=edge.Sample.Random,
            limit=body["limit"],
            with_vector=bool(body.get("with_vector")),
        )
        with self._lock:
            return [
                _record(one) | {"version": one.version, "score": one.score}
                for one in self._named(name).shard.query(request)
            ]

    def scroll(self, name: str, body: Json) -> tuple[list[Json], str | None]:
        order = body.get("order_by")
        with self._lock:
            found = self._named(name)
            if order and order["key"] not in found.about["schema"]:
                raise Refused(400, f"Wrong input: No range index for `order_by` key: `{order['key']}`")
            request = edge.ScrollRequest(
                limit=body["limit"],
                filter=_filter(body.get("filter")),
                with_payload=True,
                with_vector=bool(body.get("with_vector")),
                offset=body.get("offset"),
                order_by=_order(order) if order else None,
            )
            points, following = found.shard.scroll(request)
            return [_record(one) for one in points], None if following is None else str(following)

    def count(self, name: str, filter: Json | None) -> int:
        with self._lock:
            return self._named(name).shard.count(edge.CountRequest(exact=True, filter=_filter(filter)))

    def facet(self, name: str, body: Json) -> list[Json]:
        with self._lock:
            found = self._named(name)
            if body["key"] not in found.about["schema"]:
                raise Refused(400, f"Wrong input: No facet index for `{body['key']}`")
            request = edge.FacetRequest(
                body["key"],
                limit=body.get("limit") or 10,
                exact=bool(body.get("exact")),
                filter=_filter(body.get("filter")),
            )
            return [{"value": hit.value, "count": hit.count} for hit in found.shard.facet(request)]

    def close(self) -> None:
        with self._lock:
            for collection in self._open.values():
                collection.shard.close()
            self._open.clear()
        self._kept.cleanup()

    def _named(self, name: str) -> Collection:
        found = self._open.get(self._aliases.get(name, name))
        if found is None:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return found

    def _write(self) -> None:
        _write_json(self._catalog, {name: collection.about for name, collection in self._open.items()})

    def _write_aliases(self) -> None:
        _write_json(self._alias_file, self._aliases)


def _write_json(path: Path, value: Json) -> None:
    draft = path.with_name(f"{path.name}.new")
    with draft.open("w") as stream:
        json.dump(value, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _record(found: edge.Record) -> Json:
    vector = None if found.vector is None else np.asarray(found.vector, dtype=np.float32).tolist()
    return {"id": str(found.id), "payload": found.payload or {}, "vector": vector}


def _query(told: Any) -> Any:
    if not isinstance(told, dict):
        return edge.Query.Nearest(told)
    if examples := told.get("recommend"):
        assert examples["strategy"] == "best_score"
        like = edge.RecommendQuery(examples["positive"], examples.get("negative") or [])
        return edge.Query.RecommendBestScore(like)
    if spread := told.get("mmr"):
        return edge.Mmr(told["nearest"], 1 - spread["diversity"], spread["candidates_limit"])
    return edge.Query.Nearest(told["nearest"])


def _order(order: Json) -> edge.OrderBy:
    direction = edge.Direction.Desc if order.get("direction") == "desc" else edge.Direction.Asc
    return edge.OrderBy(order["key"], direction)


def _filter(body: Json | None) -> edge.Filter | None:
    if body is None:
        return None
    parts = {part: _conditions(body.get(part)) for part in ("must", "should", "must_not")}
    return edge.Filter(**parts)


def _conditions(body: Json | Sequence[Json] | None) -> list[Any] | None:
    if body is None:
        return None
    return [_condition(one) for one in ([body] if isinstance(body, dict) else body)]


def _condition(body: Json) -> Any:
    if "has_id" in body:
        return edge.HasIdCondition(set(body["has_id"]))
    if "is_empty" in body:
        return edge.IsEmptyCondition(body["is_empty"]["key"])
    if "key" not in body:
        return _filter(body)
    if body.get("geo_radius"):
        return edge.FieldCondition(body["key"], geo_radius=_circle(body["geo_radius"]))
    if body.get("geo_bounding_box"):
        return edge.FieldCondition(body["key"], geo_bounding_box=_area(body["geo_bounding_box"]))
    if body.get("match"):
        return edge.FieldCondition(body["key"], match=_match(body["match"]))
    limits = {name: value for name, value in body["range"].items() if value is not None}
    if any(isinstance(value, str) for value in limits.values()):
        return edge.FieldCondition(body["key"], range=edge.RangeDateTime(**limits))
    return edge.FieldCondition(body["key"], range=edge.RangeFloat(**limits))


def _circle(body: Json) -> edge.GeoRadius:
    return edge.GeoRadius(_place(body["center"]), body["radius"])


def _area(body: Json) -> edge.GeoBoundingBox:
    return edge.GeoBoundingBox(_place(body["top_left"]), _place(body["bottom_right"]))


def _place(body: Json) -> edge.GeoPoint:
    return edge.GeoPoint(body["lon"], body["lat"])


def _match(body: Json) -> Any:
    if "any" in body:
        return edge.MatchAny(body["any"])
    value = body["value"]
    # The engine takes a Python bool for the integer it also is.
    return edge.MatchValue(np.bool_(value) if isinstance(value, bool) else value)
