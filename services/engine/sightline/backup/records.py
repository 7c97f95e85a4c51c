"""What Sightline keeps in Redis, as one file: jobs, keys, deletions, duplicates, the state of syncs.

Values are taken in Redis' own form (DUMP, RESTORE), all at one moment. Messages are left out: embedders send
again what the records of jobs owe.
"""

from pathlib import Path
from typing import Literal, cast

import msgspec
from redis.exceptions import ResponseError

from sightline.atomic_files import AtomicFile, unavailable_when_failing
from sightline.backup.manifest import SERVICE
from sightline.errors import BackupError
from sightline.queue.connection import connect_for_bytes, redis_errors

_RECORDS = "sightline:*"
_REDIS = "all records"
_AT_ONCE = 1_000
_TIMEOUT_S = 60.0
_DUMP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  found[#found + 1] = {key, redis.call('PTTL', key), redis.call('DUMP', key)}
end
return found
"""


class _Record(msgspec.Struct, frozen=True, array_like=True):
    key: bytes
    ttl_ms: int
    value: bytes


class _Records(msgspec.Struct, frozen=True):
    version: Literal[1]
    records: list[_Record]


def dump_records(redis_url: str, file: Path) -> int:
    """Write all records to a file; how many there are. Raises Unavailable."""
    with redis_errors(_REDIS), connect_for_bytes(redis_url, _TIMEOUT_S) as redis:
        found = cast(list[tuple[bytes, int, bytes]], redis.eval(_DUMP, 0, _RECORDS))
    records = [_Record(key, max(ttl_ms, 0), value) for key, ttl_ms, value in found]
    with AtomicFile(SERVICE, file.parent) as made:
        made.write(msgspec.msgpack.encode(_Records(1, records)))
        made.finish(file, durable=True)
    return len(records)


def restore_records(redis_url: str, file: Path) -> int:
    """Put all records into a Redis that has none; how many there are. Raises BackupError and Unavailable."""
    try:
        with unavailable_when_failing(SERVICE):
            records = msgspec.msgpack.decode(file.read_bytes(), type=_Records).records
    except msgspec.MsgspecError as error:
        raise BackupError(f"{file} is damaged: {error}.") from error
    try:
        with redis_errors(_REDIS), connect_for_bytes(redis_url, _TIMEOUT_S) as redis:
            for start in range(0, len(records), _AT_ONCE):
                with redis.pipeline(transaction=True) as pipe:
                    for one in records[start : start + _AT_ONCE]:
                        pipe.restore(one.key, one.ttl_ms, one.value)
                    pipe.execute()
    except ResponseError as error:
        raise BackupError(
            f"Redis does not take the records back: {error}. It has to be of the version that the backup was "
            f"taken from, or a newer one."
        ) from error
    return len(records)


def require_no_records(redis_url: str) -> None:
    """Raise BackupError if a Redis has records of Sightline, and Unavailable if it does not answer."""
    with redis_errors(_REDIS), connect_for_bytes(redis_url, _TIMEOUT_S) as redis:
        taken = next(redis.scan_iter(_RECORDS), None)
    if taken is not None:
        raise BackupError("Redis has records of Sightline already. Restore into an empty one.")
