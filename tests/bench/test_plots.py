from pathlib import Path
from xml.etree import ElementTree

from bench.capacity_plan import plans
from bench.plots import PLOTS, draw_plots
from bench.results import Results

FOUND = Results.read(Path(__file__).with_name("made_up.json")).found()
MOST_BYTES = 60_000


def test_every_plot_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    found = FOUND | {"ingest_int8": FOUND["ingest"], "capacity_plan": plans()}

    first = draw_plots(found, tmp_path / "first")
    second = draw_plots(found, tmp_path / "second")

    assert [file.stem for file in first] == [plot.name for plot in PLOTS]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert max(file.stat().st_size for file in first) < MOST_BYTES


def test_plots_say_what_they_show(tmp_path: Path) -> None:
    draw_plots(FOUND | {"capacity_plan": plans()}, tmp_path)

    assert {"RAM of the index", "hours", "turbo4", "Nodes of 64 GB RAM and 1 TB disk"} <= words(
        tmp_path / "capacity.svg"
    )
    assert {"pictures per second", "stock loop", "12.2 MP, 3.8 MB", "44.1 (11.9 x)"} <= words(
        tmp_path / "ingest.svg"
    )
    assert {"milliseconds (log)", "clients", "1,006", "209"} <= words(tmp_path / "search.svg")
    assert {"MiB", "vectors (log)", "500k", "turbo4"} <= words(tmp_path / "growth.svg")


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    assert draw_plots({"encoders": FOUND["encoders"]}, tmp_path) == [tmp_path / "encoders.svg"]


def words(file: Path) -> set[str]:
    return {text for element in ElementTree.parse(file).iter() if (text := (element.text or "").strip())}
