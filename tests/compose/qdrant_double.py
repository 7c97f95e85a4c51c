"""A test double of a Qdrant server. Never shipped: no image and no distribution of Sightline holds it.

It answers the REST calls that Sightline's adapter makes, and no others, over Qdrant's own engine
(Qdrant Edge), so that filters, orders and scores are real. It keeps its data on disk, checks the
`api-key` header, and can be told to misbehave:

    PUT    /_double/faults {"slow_s": 5, "failing": 0.5}   every call takes 5 s; half of them answer 503
    PUT    /_double/faults {"peers": 3}                    say that this is one of three nodes
    DELETE /_double/faults                                 behave again
    POST   /_double/gone {"seconds": 8}                    drop every connection and refuse new ones
    GET    /_double/calls                                  how many calls there were, by kind, and by the
                                                           consistency and ordering they asked for

Run it with `python tests/compose/qdrant_double.py --folder DIR --port 6333`.
"""

import argparse
import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).parent))

from qdrant_double_shards import Json, Refused, Shards

Call = Callable[[Shards, str, Json], Any]
PLACED = ("shard_number", "replication_factor", "write_consistency_factor")
UNPLACED = dict.fromkeys(PLACED, 1)
_MISSING = "Must provide an API key or an Authorization bearer token"


@dataclass
class Behaviour:
    """How the double behaves now, and the calls it has seen."""

    slow_s: float = 0.0
    failing: float = 0.0
    gone_s: float = 0.0
    peers: int = 1
    calls: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(20))


def make_app(shards: Shards, behaviour: Behaviour, api_key: str | None) -> Starlette:
    """The double's application."""

    def route(method: str, path: str, call: Call) -> Route:
        async def answer(request: Request) -> Response:
            behaviour.calls[f"{method} {path}"] += 1
            for name in ("consistency", "ordering"):
                if value := request.query_params.get(name):
                    behaviour.asked[f"{method} {path} {name}={value}"] += 1
            if api_key is not None and request.headers.get("api-key") != api_key:
                return _failure(401, _MISSING)
            await asyncio.sleep(behaviour.slow_s)
            if behaviour.chance.random() < behaviour.failing:
                return _failure(503, "Service unavailable, as told")
            body = await request.json() if await request.body() else {}
            try:
                result = await run_in_threadpool(call, shards, request.path_params.get("name", ""), body)
            except Refused as error:
                return _failure(error.status, str(error))
            return JSONResponse({"result": result, "status": "ok", "time": 0.001})

        return Route(path, answer, methods=[method])

    async def set_faults(request: Request) -> Response:
        body = await request.json()
        behaviour.slow_s, behaviour.failing = body.get("slow_s", 0.0), body.get("failing", 0.0)
        behaviour.peers = body.get("peers", 1)
        return JSONResponse(body)

    async def behave(_: Request) -> Response:
        behaviour.slow_s, behaviour.failing, behaviour.peers = 0.0, 0.0, 1
        return Response(status_code=204)

    async def be_gone(request: Request) -> Response:
        behaviour.gone_s = (await request.json())["seconds"]
        return Response(status_code=202)

    async def count_calls(_: Request) -> Response:
        return JSONResponse(
            {"total": behaviour.calls.total(), "calls": behaviour.calls, "asked": behaviour.asked}
        )

    async def healthz(_: Request) -> Response:
        return Response("healthz check passed")

    control: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("PUT", "/_double/faults", set_faults),
        ("DELETE", "/_double/faults", behave),
        ("POST", "/_double/gone", be_gone),
        ("GET", "/_double/calls", count_calls),
        ("GET", "/healthz", healthz),
        ("GET", "/readyz", healthz),
    ]

    async def cluster(_: Request) -> Response:
        peers = {str(number): {"uri": f"http://node-{number}:6335/"} for number in range(behaviour.peers)}
        status = {"status": "enabled", "peers": peers} if behaviour.peers > 1 else {"status": "disabled"}
        return JSONResponse({"result": status, "status": "ok", "time": 0.001})

    async def fetch_snapshot(request: Request) -> Response:
        if api_key is not None and request.headers.get("api-key") != api_key:
            return _failure(401, _MISSING)
        return FileResponse(shards.snapshot_file(request.path_params["snapshot"]))

    async def recover(request: Request) -> Response:
        if api_key is not None and request.headers.get("api-key") != api_key:
            return _failure(401, _MISSING)
        async with request.form() as form:
            data = await form["snapshot"].read()  # type: ignore[union-attr]
        await run_in_threadpool(shards.recover, request.path_params["name"], data)
        return JSONResponse({"result": True, "status": "ok", "time": 0.001})

    control += [
        ("GET", "/cluster", cluster),
        ("GET", f"{_C}/snapshots/{{snapshot}}", fetch_snapshot),
        ("POST", f"{_C}/snapshots/upload", recover),
    ]
    routes = [route(*one) for one in CALLS]
    return Starlette(routes=routes + [Route(path, end, methods=[method]) for method, path, end in control])


def _failure(status: int, sentence: str) -> Response:
    return JSONResponse({"status": {"error": sentence}, "time": 0.0}, status_code=status)


def _list(shards: Shards, _: str, __: Json) -> Json:
    return {"collections": [{"name": name} for name in shards.names()]}


def _create(shards: Shards, name: str, body: Json) -> bool:
    told = {key: body[key] for key in PLACED if body.get(key) is not None}
    shards.create(name, body["vectors"], body.get("metadata") or {}, told)
    return True


def _describe(shards: Shards, name: str, _: Json) -> Json:
    about, points = shards.describe(name)
    return {
        "status": "green",
        "optimizer_status": "ok",
        "points_count": points,
        "indexed_vectors_count": 0,
        "segments_count": 1,
        "payload_schema": {
            name: {"data_type": kind, "points": points} for name, kind in about["schema"].items()
        },
        "config": {
            "params": {"vectors": about["vectors"], **UNPLACED, **about.get("params", {})},
            "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
            "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5},
            "metadata": about["metadata"],
        },
    }


def _update(shards: Shards, name: str, body: Json) -> bool:
    shards.update(name, body.get("metadata") or {}, body.get("params") or {})
    return True


def _list_aliases(shards: Shards, _: str, __: Json) -> Json:
    pairs = shards.aliases().items()
    return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in pairs]}


def _change_aliases(shards: Shards, _: str, body: Json) -> bool:
    shards.change_aliases(body["actions"])
    return True


def _index(shards: Shards, name: str, body: Json) -> Json:
    shards.index_field(name, body["field_name"], body["field_schema"])
    return _DONE


def _upsert(shards: Shards, name: str, body: Json) -> Json:
    shards.upsert(name, body["points"], body.get("update_mode") or "upsert")
    return _DONE


def _batch(shards: Shards, name: str, body: Json) -> list[Json]:
    shards.describe(name)
    for operation in body["operations"]:
        if "set_payload" in operation:
            told = operation["set_payload"]
            shards.set_payload(name, told["payload"], told["filter"], told.get("key"))
        else:
            told = operation["delete_payload"]
            shards.delete_payload(name, told["keys"], told["filter"])
    return [_DONE] * len(body["operations"])


def _delete(shards: Shards, name: str, body: Json) -> Json:
    if "filter" in body:
        shards.delete_matching(name, body["filter"])
    else:
        shards.delete(name, body["points"])
    return _DONE


def _scroll(shards: Shards, name: str, body: Json) -> Json:
    points, following = shards.scroll(name, body)
    return {"points": points, "next_page_offset": following}


_DONE: Json = {"operation_id": 0, "status": "completed"}
_C = "/collections/{name}"
CALLS: list[tuple[str, str, Call]] = [
    ("GET", "/collections", _list),
    ("GET", "/aliases", _list_aliases),
    ("POST", "/collections/aliases", _change_aliases),
    ("PUT", _C, _create),
    ("GET", _C, _describe),
    ("PATCH", _C, _update),
    ("DELETE", _C, lambda shards, name, _: shards.drop(name)),
    ("GET", f"{_C}/exists", lambda shards, name, _: {"exists": name in shards.names()}),
    ("PUT", f"{_C}/index", _index),
    ("POST", f"{_C}/snapshots", lambda shards, name, _: shards.take_snapshot(name)),
    ("DELETE", f"{_C}/snapshots/{{snapshot}}", lambda shards, name, _: shards.forget_snapshots(name)),
    ("PUT", f"{_C}/points", _upsert),
    ("POST", f"{_C}/points/batch", _batch),
    ("POST", f"{_C}/points/delete", _delete),
    ("POST", f"{_C}/points/scroll", _scroll),
    (
        "POST",
        f"{_C}/points/query/batch",
        lambda shards, name, body: [{"points": shards.query(name, one)} for one in body["searches"]],
    ),
    ("POST", f"{_C}/points/query", lambda shards, name, body: {"points": shards.query(name, body)}),
    ("POST", f"{_C}/facet", lambda shards, name, body: {"hits": shards.facet(name, body)}),
    (
        "POST",
        f"{_C}/points/count",
        lambda shards, name, body: {"count": shards.count(name, body.get("filter"))},
    ),
    (
        "POST",
        f"{_C}/points",
        lambda shards, name, body: shards.retrieve(
            name, body["ids"], with_vector=bool(body.get("with_vector"))
        ),
    ),
]


async def serve(app: Starlette, behaviour: Behaviour, host: str, port: int) -> None:
    """Serve until SIGTERM, with pauses in which nothing listens."""
    while True:
        server = uvicorn.Server(
            uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())
        while not serving.done() and not behaviour.gone_s:
            await asyncio.wait([serving], timeout=0.05)
        if serving.done():
            return await serving
        server.should_exit = server.force_exit = True
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        with suppress(asyncio.CancelledError):
            await serving
        await asyncio.sleep(behaviour.gone_s)
        behaviour.gone_s = 0.0


def main() -> None:
    """Run the double; the key comes from --api-key or, as with Qdrant, from QDRANT__SERVICE__API_KEY."""
    arguments = argparse.ArgumentParser(description="A test double of a Qdrant server.")
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=6333)
    arguments.add_argument("--api-key", default=os.environ.get("QDRANT__SERVICE__API_KEY"))
    told = arguments.parse_args()
    shards = Shards(told.folder)
    behaviour = Behaviour()
    asyncio.run(serve(make_app(shards, behaviour, told.api_key), behaviour, told.host, told.port))
    shards.close()


if __name__ == "__main__":
    main()
