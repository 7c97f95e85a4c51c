"""The one door to a Qdrant server: collections and points, over the client's REST interface."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, cast

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.api_client import MiddlewareT, Send
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_before_delay,
    wait_random_exponential,
)

from sightline.errors import BadRequest, CollectionNotFound, Unavailable
from sightline.index.clauses import Clause
from sightline.index.filtered_search import candidates, few_places_match
from sightline.index.ranking import CANDIDATES, BestScore, Diverse, Nearest, Ranking, best_score_of
from sightline.index.records import (
    CollectionRecord,
    Hit,
    NearPoint,
    PointRecord,
    ValueCount,
    vector_bytes,
    vector_of,
)
from sightline.index.server.filters import server_filter
from sightline.index.tuning import (
    HNSW_EF_CONSTRUCT,
    HNSW_M,
    NEIGHBOURS_EF,
    OVERSAMPLING,
    Tuning,
    VectorLayout,
)
from sightline.payload import FieldType
from sightline.settings import SEARCH_EF, Quantization

_SERVICE = "Qdrant"
_SPACE = "sightline.space"
_FIELD = "sightline.field."
_OVERLOADED_OR_STARTING = frozenset({429, 502, 503, 504})
_NEIGHBOURS = models.SearchParams(hnsw_ef=NEIGHBOURS_EF)
_BY_ORIGINALS = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
_EXACT = models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))


class QdrantServer:
    """Qdrant's operations over records. Safe to call from several threads, as the client is."""

    def __init__(self, client: QdrantClient) -> None:
        """Use a client that the caller has made; `close` closes it."""
        self._client = client

    @classmethod
    def at(cls, url: str, *, api_key: str | None, timeout_s: int, patience_s: float = 0.0) -> Self:
        """Use the server at `url`; nothing is connected yet.

        `timeout_s` bounds one answer. A request that fails sooner is sent again for up to `patience_s`
        seconds: all of ours may be repeated without harm.
        """
        with warnings.catch_warnings():
            # Within a deployment's own network there is no TLS.
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
            client = QdrantClient(url=url, api_key=api_key, timeout=timeout_s, check_compatibility=False)
        client.http.client.add_middleware(_repeating(patience_s))
        return cls(client)

    def ping(self) -> None:
        """Return when the server answers."""
        with _translated():
            self._client.get_collections()

    def create(self, name: str, space: str, dimension: int, layout: VectorLayout | None = None) -> None:
        """Make a collection that knows its space, unless there is one of that name."""
        held = layout or VectorLayout()
        vectors = models.VectorParams(
            size=dimension,
            distance=models.Distance.COSINE,
            hnsw_config=models.HnswConfigDiff(m=HNSW_M, ef_construct=HNSW_EF_CONSTRUCT),
            quantization_config=_quantization(held.quantization),
            on_disk=held.on_disk,
        )
        with _translated():
            try:
                self._client.create_collection(name, vectors_config=vectors, metadata={_SPACE: space})
            except (UnexpectedResponse, ValueError):
                # Another process may have made it meanwhile.
                if not self._client.collection_exists(name):
                    raise

    def describe(self, name: str, *, count: bool) -> CollectionRecord:
        """Describe one collection; `points` is 0 unless they are to be counted.

        Raises BadRequest for a collection that Sightline has not made.
        """
        with _translated(name):
            try:
                about = self._client.get_collection(name)
            except ValueError as error:
                # What the client's memory mode says of a name it does not know.
                raise CollectionNotFound(name) from error
        config = about.config
        held = config.metadata or {}
        vectors = config.params.vectors
        if _SPACE not in held or not isinstance(vectors, models.VectorParams):
            raise BadRequest(f"Collection '{name}' on the Qdrant server was not made by Sightline.")
        fields = {
            key.removeprefix(_FIELD): FieldType(kind) for key, kind in held.items() if key.startswith(_FIELD)
        }
        points = self.count(name) if count else 0
        indexed = about.indexed_vectors_count or 0
        return CollectionRecord(name, held[_SPACE], vectors.size, fields, points, indexed)

    def keep_layout(self, name: str, tuning: Tuning) -> None:
        """Have the server arrange the vectors of a collection as the settings say; it does so by and by."""
        with _translated(name):
            about = self._client.get_collection(name)
            vectors = about.config.params.vectors
            if not isinstance(vectors, models.VectorParams):
                return
            held = VectorLayout(_quantization_of(vectors.quantization_config), bool(vectors.on_disk))
            wanted = tuning.layout(about.points_count or 0, held)
            if wanted != held:
                disabled = models.Disabled.DISABLED
                new = models.VectorParamsDiff(
                    quantization_config=_quantization(wanted.quantization) or disabled, on_disk=wanted.on_disk
                )
                self._client.update_collection(name, vectors_config={"": new})

    def names(self) -> list[str]:
        """All collections on the server, whoever made them."""
        with _translated():
            return sorted(found.name for found in self._client.get_collections().collections)

    def index_fields(self, name: str, fields: Mapping[str, FieldType]) -> None:
        """Make a payload index for each field that has none, then note the fields."""
        with _translated(name):
            there = self._client.get_collection(name).payload_schema
            for field, kind in fields.items():
                if field not in there:
                    self._client.create_payload_index(name, field, models.PayloadSchemaType(kind.value))
            # One flat entry for each, so that two processes that add fields both succeed.
            noted = {f"{_FIELD}{field}": kind.value for field, kind in fields.items()}
            self._client.update_collection(name, metadata=noted)

    def drop(self, name: str) -> None:
        """Delete a collection, if it is there."""
        with _translated(name):
            self._client.delete_collection(name)

    def insert(self, name: str, points: Sequence[PointRecord]) -> None:
        """Insert points that are not there yet."""
        made = [
            models.PointStruct(
                id=point.id, vector=vector_of(point.vector or b"").tolist(), payload=point.payload
            )
            for point in points
        ]
        with _translated(name):
            self._client.upsert(name, made, wait=True, update_mode=models.UpdateMode.INSERT_ONLY)

    def retrieve(self, name: str, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        with _translated(name):
            found = self._client.retrieve(name, list(ids), with_payload=True, with_vectors=with_vectors)
        return [_record(record) for record in found]

    def merge_payload(
        self, name: str, values: Mapping[str, Mapping[str, Any]], key: str | None = None
    ) -> None:
        """Set payload entries by point id, or entries of the object at `key`; absent points are left out."""
        operations = [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload=dict(entries), key=key, filter=_points([point_id]))
            )
            for point_id, entries in values.items()
        ]
        with _translated(name):
            self._client.batch_update_points(name, operations, wait=True)

    def remove_payload(self, name: str, paths: Mapping[str, Sequence[str]]) -> None:
        """Remove payload entries by point id and path; what is not there is left out."""
        operations = [
            models.DeletePayloadOperation(
                delete_payload=models.DeletePayload(keys=list(keys), filter=_points([point_id]))
            )
            for point_id, keys in paths.items()
        ]
        with _translated(name):
            self._client.batch_update_points(name, operations, wait=True)

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete points; ids that do not exist are ignored."""
        with _translated(name):
            self._client.delete(name, models.PointIdsList(points=list(ids)), wait=True)

    def delete_matching(self, name: str, clause: Clause) -> None:
        """Delete the points that match at the moment of deletion."""
        filter = server_filter(clause) or models.Filter()
        with _translated(name):
            self._client.delete(name, models.FilterSelector(filter=filter), wait=True)

    def search(
        self,
        name: str,
        ranking: Ranking,
        clause: Clause | None,
        *,
        limit: int,
        offset: int,
        exact: bool,
        ef: int = SEARCH_EF,
        with_vectors: bool = False,
    ) -> list[Hit]:
        """The first points of a ranking; `ef` candidates are kept while the graph is walked."""
        exact = exact or few_places_match(clause, partial(self.count, name))
        near = models.SearchParams(hnsw_ef=candidates(ef, clause), quantization=_BY_ORIGINALS)
        with _translated(name):
            found = self._client.query_points(
                name,
                query=_query(ranking),
                query_filter=server_filter(clause),
                search_params=_EXACT if exact else near,
                limit=limit,
                offset=offset,
                with_payload=True,
                with_vectors=with_vectors,
            )
        score = best_score_of if isinstance(ranking, BestScore) else float
        return [
            Hit(str(one.id), score(one.score), one.payload or {}, _vector(one.vector)) for one in found.points
        ]

    def neighbours(self, name: str, ids: Sequence[str], limit: int) -> dict[str, list[NearPoint]]:
        """The nearest other points of each of some points, best first."""
        with _translated(name):
            points = self._client.retrieve(name, list(ids), with_payload=False, with_vectors=True)
            # By vector, because a point may be deleted meanwhile.
            requests = [
                models.QueryRequest(
                    query=models.NearestQuery(nearest=cast("list[float]", point.vector)),
                    params=_NEIGHBOURS,
                    limit=limit + 1,
                )
                for point in points
            ]
            answers = self._client.query_batch_points(name, requests) if requests else []
        return {
            str(point.id): [NearPoint(str(one.id), one.score) for one in answer.points if one.id != point.id][
                :limit
            ]
            for point, answer in zip(points, answers, strict=True)
        }

    def by_time(
        self, name: str, field: str, *, descending: bool, clause: Clause, limit: int
    ) -> list[PointRecord]:
        """The first points in order of a time field, equal times in any order."""
        direction = models.Direction.DESC if descending else models.Direction.ASC
        order = models.OrderBy(key=field, direction=direction)
        with _translated(name):
            found, _ = self._client.scroll(name, server_filter(clause), limit=limit, order_by=order)
        return [_record(record) for record in found]

    def by_id(self, name: str, clause: Clause, *, after: str | None, limit: int) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`."""
        with _translated(name):
            # The server starts at an id, not after it.
            found, _ = self._client.scroll(name, server_filter(clause), limit=limit + 1, offset=after)
        return [_record(record) for record in found if record.id != after][:limit]

    def count(self, name: str, clause: Clause | None = None) -> int:
        """How many points match, exactly."""
        with _translated(name):
            return self._client.count(name, count_filter=server_filter(clause), exact=True).count

    def facet(self, name: str, field: str, clause: Clause | None, *, limit: int) -> list[ValueCount]:
        """The commonest values of an indexed field, exactly counted."""
        with _translated(name):
            found = self._client.facet(
                name, field, facet_filter=server_filter(clause), limit=limit, exact=True
            )
        return [ValueCount(hit.value, hit.count) for hit in found.hits]

    def sample(self, name: str, limit: int) -> list[bytes]:
        """Vectors of points picked at random, each at most once, as `vector_bytes`."""
        with _translated(name):
            found = self._client.query_points(
                name,
                query=models.SampleQuery(sample=models.Sample.RANDOM),
                limit=limit,
                with_payload=False,
                with_vectors=True,
            )
        return [vector_bytes(np.asarray(point.vector, dtype=np.float32)) for point in found.points]

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def _query(ranking: Ranking) -> models.Query:
    match ranking:
        case Nearest(vector):
            return models.NearestQuery(nearest=vector_of(vector).tolist())
        case Diverse(vector, diversity):
            spread = models.Mmr(diversity=diversity, candidates_limit=CANDIDATES)
            return models.NearestQuery(nearest=vector_of(vector).tolist(), mmr=spread)
        case BestScore(positives, negatives):
            near, far = ([vector_of(one).tolist() for one in some] for some in (positives, negatives))
            examples = models.RecommendInput(
                positive=near, negative=far, strategy=models.RecommendStrategy.BEST_SCORE
            )
            return models.RecommendQuery(recommend=examples)


def _repeating(patience_s: float) -> MiddlewareT:
    """A middleware of the client that sends again what failed, and in the end gives what came last."""

    def send(request: Any, send_once: Send) -> Any:
        attempts = Retrying(
            retry=retry_if_exception_type(ResponseHandlingException)
            | retry_if_result(lambda answer: answer.status_code in _OVERLOADED_OR_STARTING),
            stop=stop_before_delay(patience_s),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            retry_error_callback=lambda last: last.outcome.result() if last.outcome else None,
        )
        return attempts(send_once, request)

    return send


@contextmanager
def _translated(collection: str | None = None) -> Iterator[None]:
    try:
        yield
    except ResponseHandlingException as error:
        raise Unavailable(_SERVICE, str(error.source)) from error
    except ResourceExhaustedResponse as error:
        raise Unavailable(_SERVICE, f"it is overloaded: {error}") from error
    except UnexpectedResponse as error:
        status = error.status_code or 0
        if status == 404 and collection is not None:
            raise CollectionNotFound(collection) from error
        if status in (401, 403):
            raise Unavailable(_SERVICE, "it refuses our key; check SIGHTLINE_QDRANT_API_KEY") from error
        if status in (408, 429) or status >= 500:
            raise Unavailable(_SERVICE, f"status {status} {error.reason_phrase}") from error
        raise


def _quantization(kind: Quantization) -> models.ScalarQuantization | models.TurboQuantization | None:
    match kind:
        case Quantization.INT8:
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
            return models.ScalarQuantization(scalar=scalar)
        case Quantization.TURBO4:
            bits = models.TurboQuantBitSize.BITS4
            return models.TurboQuantization(
                turbo=models.TurboQuantQuantizationConfig(always_ram=True, bits=bits)
            )
        case _:
            return None


def _quantization_of(config: models.QuantizationConfig | None) -> Quantization:
    """What a server has; any kind that is not ours counts as none, so that ours replaces it if asked for."""
    match config:
        case models.ScalarQuantization():
            return Quantization.INT8
        case models.TurboQuantization(turbo=turbo) if turbo.bits is models.TurboQuantBitSize.BITS4:
            return Quantization.TURBO4
        case _:
            return Quantization.NONE


def _record(record: models.Record) -> PointRecord:
    return PointRecord(str(record.id), record.payload or {}, _vector(record.vector))


def _vector(vector: object) -> bytes | None:
    return None if vector is None else vector_bytes(np.asarray(vector, dtype=np.float32))


def _points(ids: Sequence[str]) -> models.Filter:
    # To change points by id, the server refuses as a whole when one of them has been deleted.
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])
