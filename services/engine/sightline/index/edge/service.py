"""What an index process does with a request."""

from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from sightline.errors import BadRequest, SightlineError, Unavailable
from sightline.index.edge import wire
from sightline.index.edge.collections import EdgeCollections
from sightline.index.edge.open_shards import IndexClosed
from sightline.index.filters import Filter, parse_filter

_log = structlog.get_logger(__name__)


_Read: TypeAlias = (
    wire.Search
    | wire.FindNeighbours
    | wire.Browse
    | wire.Scroll
    | wire.Retrieve
    | wire.Count
    | wire.Facet
    | wire.Sample
)


class EdgeService:
    """Answers requests out of the collections it is given. Safe to call from several threads."""

    def __init__(self, collections: EdgeCollections) -> None:
        """Serve these collections."""
        self._collections = collections
        self._decoder: msgspec.msgpack.Decoder[wire.Request] = msgspec.msgpack.Decoder(wire.Request)

    def answer(self, body: bytes | bytearray) -> bytes:
        """The reply to the body of a frame, as the body of a frame.

        Every error becomes a reply, except IndexClosed, which means that nobody will answer any more.
        """
        try:
            reply = self._reply(self._decoder.decode(body))
        except IndexClosed:
            raise
        except msgspec.MsgspecError as error:
            reply = wire.failed(BadRequest(f"The index cannot read the request: {error}."))
        except SightlineError as error:
            reply = wire.failed(error)
        except BaseException as error:  # a panic of the engine is no Exception
            _log.exception("a request failed")
            reply = wire.failed(Unavailable("the index", f"it failed on this request: {error}"))
        return msgspec.msgpack.encode(reply)

    def _reply(self, request: wire.Request) -> wire.Reply:
        match request:
            case wire.EnsureCollection(name, space, dimension, fields, quantization, precision):
                made = self._collections.ensure(name, space, dimension, fields, quantization, precision)
                return wire.Collections([made])
            case wire.DescribeCollections(None):
                return wire.Collections(self._collections.describe_all())
            case wire.DescribeCollections():
                assert request.name is not None
                described = self._collections.describe(request.name, counted=request.counted)
                return wire.Collections([described])
            case wire.DropCollection(name):
                self._collections.drop(name)
            case wire.Switch(name, version):
                self._collections.switch(name, version)
            case wire.Insert(collection, points):
                self._collections.insert(collection, points)
            case wire.AddSources(collection, sources):
                self._collections.add_sources(collection, sources)
            case wire.RemoveSources(collection, removed):
                return wire.Gone(self._collections.remove_sources(collection, removed))
            case wire.SetPayload(collection, point_id, values):
                self._collections.set_payload(collection, point_id, values)
            case wire.Delete(collection, ids):
                self._collections.delete(collection, ids)
            case wire.Optimize(collection):
                self._collections.optimize(collection)
            case wire.CopyTo(folder):
                self._collections.copy_to(Path(folder))
            case wire.Ping():
                pass
            case _:
                return self._read(request)
        return wire.Done()

    def _read(self, request: _Read) -> wire.Reply:
        match request:
            case wire.Search():
                hits = self._collections.search(
                    request.collection,
                    request.ranking,
                    space=request.space,
                    limit=request.limit,
                    offset=request.offset,
                    filter=_filter(request.filter),
                    exclude=request.exclude,
                    exact=request.exact,
                    ef=request.ef,
                    with_vectors=request.with_vectors,
                )
                return wire.Hits(hits)
            case wire.FindNeighbours(collection, ids, limit):
                return wire.Near(self._collections.neighbours(collection, ids, limit))
            case wire.Browse(collection, sort, limit, cursor, filter):
                points, next_cursor = self._collections.browse(
                    collection, sort=sort, limit=limit, cursor=cursor, filter=_filter(filter)
                )
                return wire.Points(points, next_cursor)
            case wire.Scroll(collection, after, limit):
                return wire.Points(self._collections.scroll(collection, after=after, limit=limit))
            case wire.Retrieve(collection, ids, with_vectors):
                return wire.Points(self._collections.retrieve(collection, ids, with_vectors=with_vectors))
            case wire.Count(collection, filter):
                return wire.Number(self._collections.count(collection, _filter(filter)))
            case wire.Facet(collection, field, limit, filter):
                return wire.Values(
                    self._collections.facet(collection, field, limit=limit, filter=_filter(filter))
                )
            case wire.Sample(collection, limit):
                return wire.Vectors(*self._collections.sample(collection, limit))


def _filter(json: bytes | None) -> Filter | None:
    return None if json is None else parse_filter(json)
