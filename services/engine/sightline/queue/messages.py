"""What travels through the queue: task names, their queues and bodies. References, never bytes."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Queue(StrEnum):
    """The queues of Redis; an embedder takes from both."""

    PLAN = "sightline.plan"
    INGEST = "sightline.ingest"


class FolderSource(BaseModel):
    """All pictures below a folder on the embedder's machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str
    recursive: bool = True


class StoredUpload(BaseModel):
    """One uploaded file, already in the media store under its hash."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    name: str
    metadata: dict[str, Any] = Field(default_factory=dict)


class UploadSource(BaseModel):
    """Pictures that came with a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["upload"] = "upload"
    files: tuple[StoredUpload, ...]


JobSource = Annotated[FolderSource | UploadSource, Field(discriminator="kind")]


class Item(BaseModel):
    """One picture of a batch, by reference.

    `number` is its place in the job's listing, from 0: what a failure is filed under. `uri` is what
    a point records as the source: `file:///…`, or `upload:<name>` with the `sha256` under which the
    media store has the bytes.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    uri: str
    sha256: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class PlanJob(BaseModel):
    """List the job's source from where listing stopped, and send what there is room for."""

    model_config = ConfigDict(frozen=True)
    task: ClassVar[str] = "sightline.plan_job"
    queue: ClassVar[Queue] = Queue.PLAN

    job_id: str


class IndexBatch(BaseModel):
    """Index one planned batch of a job; its items are in the ledger."""

    model_config = ConfigDict(frozen=True)
    task: ClassVar[str] = "sightline.index_batch"
    queue: ClassVar[Queue] = Queue.INGEST

    job_id: str
    batch_id: int


Message = PlanJob | IndexBatch
