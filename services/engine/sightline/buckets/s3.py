"""The door to S3 and to storages that speak its protocol."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, TimeoutError

from sightline.buckets.storage import Fault, OpenedObject, StorageFailure, StorageLimits, StoredObject

_CHUNK_BYTES = 1 << 16
_CONNECTIONS = 32
_DEFAULT_REGION = "us-east-1"
_NO_ANSWER = (ConnectionError, HTTPClientError, ResponseStreamingError, HTTPError, OSError)
_FULL = frozenset(
    {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
)
_EXPIRED = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})


class S3Bucket:
    """A Bucket in S3. Any key can be listed and read.

    Credentials, endpoint and region are what botocore finds: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN, AWS_PROFILE, AWS_ENDPOINT_URL, AWS_REGION, roles of containers and machines. Without
    credentials requests are not signed, as public buckets permit.
    """

    def __init__(self, bucket: str, limits: StorageLimits) -> None:
        self._bucket = bucket
        with _failures_named():
            self._client = _client(limits)

    def list_after(self, prefix: str, after: str | None) -> Iterator[StoredObject]:
        """See Bucket."""
        wanted = {"Bucket": self._bucket, "Prefix": prefix} | ({"StartAfter": after} if after else {})
        more = True
        while more:
            with _failures_named():
                page = self._client.list_objects_v2(**wanted)
                listed = [_stored_object(one) for one in page.get("Contents", ())]
                more = page["IsTruncated"]
            yield from listed
            wanted["ContinuationToken"] = page.get("NextContinuationToken")

    @contextmanager
    def open(self, key: str) -> Iterator[OpenedObject]:
        """See Bucket."""
        with _failures_named():
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            size, modified_at = answer["ContentLength"], answer["LastModified"].astimezone(UTC)
        with answer["Body"] as body:
            yield OpenedObject(size, modified_at, _chunks(body, size))

    def put(self, key: str, content: bytes | Path) -> None:
        """See Bucket."""
        with ExitStack() as stack, _failures_named():
            body = content if isinstance(content, bytes) else stack.enter_context(content.open("rb"))
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def delete(self, keys: Sequence[str]) -> None:
        """See Bucket."""
        objects = [{"Key": key} for key in keys]
        with _failures_named():
            answer = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
            )
        for failed in answer.get("Errors", ()):
            code = str(failed.get("Code", ""))[:60]
            fault = Fault.DENIED if code == "AccessDenied" else Fault.NO_ANSWER
            raise StorageFailure(fault, f"{failed.get('Key', 'an object')} was not deleted ({code})")


def _stored_object(listed: Any) -> StoredObject:
    return StoredObject(listed["Key"], listed["Size"], listed["LastModified"].astimezone(UTC))


def _client(limits: StorageLimits) -> Any:
    session = botocore.session.Session()
    return session.create_client(
        "s3",
        region_name=os.environ.get("AWS_REGION") or session.get_config_variable("region") or _DEFAULT_REGION,
        config=Config(
            connect_timeout=limits.silence_s,
            read_timeout=limits.silence_s,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=_CONNECTIONS,
            # Storages that speak the protocol of S3 do not know all checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            signature_version=None if session.get_credentials() else UNSIGNED,
        ),
    )


def _chunks(body: Any, size: int) -> Iterator[bytes]:
    received = 0
    with _failures_named():
        # What is there, not all of the chunk: else a body that drips in would not be noticed.
        while chunk := body.read1(_CHUNK_BYTES):
            received += len(chunk)
            yield chunk
    if received != size:
        raise StorageFailure(Fault.NO_ANSWER, f"{received} of {size} bytes came")


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _answered(error) from error
    except (ConnectTimeoutError, ReadTimeoutError, TimeoutError) as error:
        raise StorageFailure(Fault.TIMED_OUT, "no answer in time") from error
    except _NO_ANSWER as error:
        raise StorageFailure(Fault.NO_ANSWER, f"the connection failed ({type(error).__name__})") from error
    except (CredentialRetrievalError, PartialCredentialsError) as error:
        raise StorageFailure(Fault.DENIED, type(error).__name__) from error
    except (KeyError, ResponseParserError) as error:
        raise StorageFailure(Fault.REFUSED, "its answer is not one of S3") from error
    # botocore calls an endpoint that is no URL a ValueError.
    except (BotoCoreError, ValueError) as error:
        raise StorageFailure(Fault.REFUSED, type(error).__name__) from error


def _answered(error: ClientError) -> StorageFailure:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.response.get("Error", {}).get("Code", status))[:60]
    return StorageFailure(_fault(status, code), code)


def _fault(status: int, code: str) -> Fault:
    if code == "NoSuchBucket":
        return Fault.BUCKET_MISSING
    if status == 507 or code in _FULL:
        return Fault.FULL
    if status == 404:
        return Fault.OBJECT_MISSING
    if code in _EXPIRED or (status in (401, 403) and code != "InvalidObjectState"):
        return Fault.DENIED
    if status >= 500 or status == 429:
        return Fault.NO_ANSWER
    return Fault.TIMED_OUT if code == "RequestTimeout" else Fault.REFUSED
