"""One walk through an archive: its pictures are copied, its sidecars read, the rest is passed over."""

from collections.abc import Iterator

import structlog

from sightline.disk_room import check_room
from sightline.errors import BadPicture
from sightline.media import MediaStore
from sightline.queue.sources import Refusal
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.archives.judging import Judge, Role
from sightline_embedder.sources.archives.limits import ArchiveLimits, Unpacked, too_many_members
from sightline_embedder.sources.archives.members import Member
from sightline_embedder.sources.archives.names import extension, sample_key, shown
from sightline_embedder.sources.archives.samples import SAMPLE_MEMBERS, Found, Sample
from sightline_embedder.sources.archives.sidecars import SIDECAR_BYTES, BadSidecar, metadata_of

_log = structlog.get_logger(__name__)

_SIDECARS_LOGGED = 20


class Walk:
    """Walks once. Whatever it decides, it decides the same again when listing is resumed."""

    def __init__(
        self,
        archive_uri: str,
        fingerprint: str,
        *,
        passed: int,
        collection: str,
        media: MediaStore,
        limits: ArchiveLimits,
        unpacked: Unpacked,
    ) -> None:
        """Members up to the number `passed` were listed before."""
        self._uri = archive_uri
        self._fingerprint = fingerprint
        self._passed = passed
        self._collection = collection
        self._media = media
        self._limits = limits
        self._judge = Judge(limits, unpacked)
        self._sidecars_ignored = 0

    def listed(self, members: Iterator[Member]) -> Iterator[Listed]:
        """The pictures, sample by sample; raises what the members raise, after all before it."""
        sample = Sample("")
        try:
            for number, member in enumerate(members, 1):
                if number > self._limits.members:
                    raise too_many_members(self._limits)
                role, fault = self._judge.role_of(member)
                key = sample.key if role is Role.PASSED_OVER else sample_key(member.name)
                if key != sample.key or sample.full:
                    yield from sample.listed(self._uri)
                    sample = Sample(key)
                sample.members += 1
                if role is Role.PICTURE:
                    self._take_picture(sample, number, member, fault)
                elif role is Role.SIDECAR:
                    self._take_sidecar(sample, number, member)
        except (SourceError, OSError):
            yield from sample.listed(self._uri)
            raise
        yield from sample.listed(self._uri)

    def _take_picture(self, sample: Sample, number: int, member: Member, fault: str | None) -> None:
        refused, sha256 = self._judge.refusal_of(member, fault), None
        if refused is None:
            self._judge.count(member)
        if number <= self._passed:
            return
        if refused is None:
            try:
                sha256 = self._copy(member)
            except BadPicture as error:
                refused = Refusal(reason=error.reason, detail=error.detail)
        sample.add(Found(member.name, sha256, refused, cursor=f"{number}-{self._fingerprint}"))

    def _copy(self, member: Member) -> str:
        """Copy a picture to the media store; its SHA-256. Raises StorageFull before the disk is full."""
        check_room(self._media, self._limits.min_free_bytes, member.size or 0)
        with self._media.new_original(self._collection, self._limits.picture_bytes) as original:
            for chunk in member.chunks():
                original.write(chunk)
            sha256 = original.complete()
            original.keep()
        return sha256

    def _take_sidecar(self, sample: Sample, number: int, member: Member) -> None:
        """Read what a sidecar says; if it cannot be used, the pictures beside it go in without it."""
        try:
            if member.refused is not None:
                raise BadSidecar(f"cannot be read: {member.refused.detail}")
            if (member.size or 0) > SIDECAR_BYTES or self._judge.swells(member):
                raise BadSidecar(f"has {member.size} bytes; the limit is {SIDECAR_BYTES}")
            self._judge.count(member)
            # Pictures that share a sample with it may lie ahead, but no further than a sample reaches.
            if number + SAMPLE_MEMBERS > self._passed:
                kind = extension(member.name)
                sample.describe(kind, metadata_of(kind, _read_sidecar(member)))
        except BadSidecar as error:
            self._sidecars_ignored += 1
            if self._sidecars_ignored <= _SIDECARS_LOGGED:
                _log.warning(
                    "sidecar_ignored", archive=self._uri, member=shown(member.name), reason=str(error)
                )


def _read_sidecar(member: Member) -> bytes:
    data = bytearray()
    try:
        for piece in member.chunks():
            data += piece
            if len(data) > SIDECAR_BYTES:
                raise BadSidecar(f"has more than {SIDECAR_BYTES} bytes, the limit")
    except BadPicture as error:
        raise BadSidecar(f"cannot be read: {error.detail}") from error
    return bytes(data)
