"""The file that a run leaves behind: `results.json`."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bench.machine import Machine


@dataclass(frozen=True)
class Outcome:
    """What became of one benchmark: its `result`, or why it was `skipped`, or how it `failed`."""

    measures: str
    quick: bool
    commit: str | None
    started_at: str
    load_before: float
    took_s: float
    result: Any = None
    skipped: str | None = None
    failed: str | None = None


@dataclass(frozen=True)
class Results:
    """Outcomes by the benchmark's name, all from one machine with the same libraries."""

    machine: Machine
    benchmarks: dict[str, Outcome]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read `write` back."""
        found = json.loads(path.read_text())
        machine = found["machine"] | {"flags": tuple(found["machine"]["flags"])}
        outcomes = {name: Outcome(**one) for name, one in found["benchmarks"].items()}
        return cls(Machine(**machine), outcomes)

    @classmethod
    def carry_on(cls, path: Path, machine: Machine) -> Self:
        """What earlier runs on the same machine left in the file; nothing where it was another."""
        if path.exists():
            earlier = cls.read(path)
            if earlier.machine == machine:
                return earlier
        return cls(machine, {})

    def found(self) -> dict[str, Any]:
        """The results of the benchmarks that have one."""
        return {name: one.result for name, one in self.benchmarks.items() if one.result is not None}

    def write(self, path: Path) -> None:
        """Write it all to a file, whose folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        outcomes = {name: asdict(one) for name, one in self.benchmarks.items()}
        content = {"machine": asdict(self.machine), "benchmarks": outcomes}
        path.write_text(json.dumps(content, indent=2) + "\n")


def now() -> str:
    """The time of day, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
