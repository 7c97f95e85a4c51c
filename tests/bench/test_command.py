"""Benches as commands: the options of each are those that its measuring takes."""

import inspect
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from bench import command
from rich.table import Table

COMMANDS = ["encoders", "ingest", "overload", "page", "search_during_ingest", "search_latency", "simulation"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bench_is_measured_with_its_options_and_its_figures_are_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = import_module(f"bench.{name}")
    taken = inspect.signature(bench.measure)
    given: dict[str, Any] = {}

    def measure(**options: Any) -> dict[str, Any]:
        taken.bind(**options)
        given.update(options)
        return {"figure": 1}

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "tables", lambda found: [Table(str(found["figure"]))])
    monkeypatch.setattr(sys, "argv", [name, "--json", str(tmp_path / "figures.json")])
    bench.main()

    assert given["model"] == Path(".cache/models/clip-b32-random")
    assert json.loads((tmp_path / "figures.json").read_text()) == {"figure": 1}


def test_what_a_bench_is_stands_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parser_of("How fast it is.\n\n    python -m bench.it").parse_args(["--help"])
    assert "How fast it is.\n\n    python -m bench.it" in capsys.readouterr().out
