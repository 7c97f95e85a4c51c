"""What a member is to the listing, judged by what the archive says of it, before any of it is read."""

from enum import Enum, auto

from sightline.errors import FailureReason
from sightline.queue.sources import Refusal
from sightline_embedder.sources.archives.limits import MAX_RATIO, ArchiveLimits, Unpacked
from sightline_embedder.sources.archives.members import Member, MemberKind
from sightline_embedder.sources.archives.names import (
    SIDECAR_EXTENSIONS,
    extension,
    is_hidden,
    is_picture,
    name_fault,
    shown,
)

_UNSAFE_LISTED = 1000
"""Unsafe members that would have been no pictures are listed up to this number."""


class Role(Enum):
    """What a member is to the listing; a picture may still be refused."""

    PICTURE = auto()
    SIDECAR = auto()
    PASSED_OVER = auto()


class Judge:
    """Judges the members of an archive in their order, and so the same way each time."""

    def __init__(self, limits: ArchiveLimits, unpacked: Unpacked) -> None:
        self._limits = limits
        self._unpacked = unpacked
        self._unsafe = 0

    def role_of(self, member: Member) -> tuple[Role, str | None]:
        """What a member is, and why it is unsafe; what is unsafe is listed whatever its suffix."""
        if member.kind is MemberKind.FOLDER:
            return Role.PASSED_OVER, None
        fault = name_fault(member.name)
        if fault is None and is_hidden(member.name):
            return Role.PASSED_OVER, None
        if fault is None and member.kind is not MemberKind.FILE:
            fault = f"is {member.kind.value}"
        if is_picture(member.name):
            return Role.PICTURE, fault
        if fault is not None:
            self._unsafe += 1
            return (Role.PICTURE if self._unsafe <= _UNSAFE_LISTED else Role.PASSED_OVER), fault
        return (Role.SIDECAR if extension(member.name) in SIDECAR_EXTENSIONS else Role.PASSED_OVER), None

    def refusal_of(self, member: Member, fault: str | None) -> Refusal | None:
        """Why a picture is refused by what is known of it before any of it is read."""
        name, limit = shown(member.name), self._limits.picture_bytes
        if fault is not None:
            return _refused(FailureReason.ARCHIVE_MEMBER_UNSAFE, f"Member {name} {fault}.")
        if member.refused is not None:
            return member.refused
        if member.size == 0:
            return _refused(FailureReason.EMPTY, f"Member {name} has no bytes.")
        if member.size is not None and member.size > limit:
            detail = f"Member {name} has {member.size:,} bytes; the limit is {limit:,}."
            return _refused(FailureReason.TOO_MANY_BYTES, detail)
        if self.swells(member):
            detail = f"Member {name} unpacks to more than {MAX_RATIO} times its size, as much did before it."
            return _refused(FailureReason.ARCHIVE_MEMBER_UNSAFE, detail)
        return None

    def swells(self, member: Member) -> bool:
        """Whether it unpacks to more than pictures do."""
        return member.packed is not None and self._unpacked.swells(member.size or 0, member.packed)

    def count(self, member: Member) -> None:
        """Count what will be unpacked; other members are counted while they are."""
        if member.size is not None and member.packed is not None:
            self._unpacked.add(member.size, member.packed)


def _refused(reason: FailureReason, detail: str) -> Refusal:
    return Refusal(reason=reason, detail=detail)
