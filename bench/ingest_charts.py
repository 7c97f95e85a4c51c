"""Charts of ingest and of its encoder."""

from typing import Any

from matplotlib.figure import Figure

from bench.chart_bars import OTHERS, OURS, STOCK, grouped_bars, short

_STAGES = ("decode", "encode", "thumbnail")


def against_stock(found: dict[str, Any]) -> Figure:
    """Pictures per second of the stock loop and of Sightline, by corpus."""
    corpora = found["corpora"]
    figure = Figure((7, 3.4), layout="constrained")
    axes = figure.subplots()
    ours = [one["sightline"] for one in corpora.values()]
    faster = [f"{short(one['sightline'])} ({one['over_stock']:.1f} x)" for one in corpora.values()]
    series = {
        "stock loop": (STOCK, [one["stock"] for one in corpora.values()]),
        "Sightline": (OURS, ours),
    }
    grouped_bars(axes, _names(found), series, {"Sightline": faster})
    axes.set_ylabel("pictures per second")
    axes.set_title(f"Indexing a folder ({found['numerics']})")
    axes.legend()
    return figure


def against_stages(found: dict[str, Any]) -> Figure:
    """What a picture takes in the stages alone, one upon the other, and over the whole path."""
    corpora = found["corpora"]
    figure = Figure((7, 3.4), layout="constrained")
    axes = figure.subplots()
    bottom = [0.0] * len(corpora)
    places = [group - 0.2 for group in range(len(corpora))]
    for stage, colour in zip(_STAGES, (*OTHERS[:2], "#56b4e9"), strict=True):
        took_ms = [1000 / one[stage] for one in corpora.values()]
        bars = axes.bar(places, took_ms, 0.38, bottom=bottom, label=f"{stage} alone", color=colour)
        bottom = [below + one for below, one in zip(bottom, took_ms, strict=True)]
    axes.bar_label(bars, [f"{short(one['roofline'])}/s" for one in corpora.values()], padding=2, fontsize=9)
    reached = [1000 / one["sightline"] for one in corpora.values()]
    bars = axes.bar([place + 0.4 for place in places], reached, 0.38, label="the whole path", color=OURS)
    labels = [f"{short(one['sightline'])}/s, {one['of_roofline']:.0%}" for one in corpora.values()]
    axes.bar_label(bars, labels, padding=2, fontsize=9)
    axes.set_xticks(range(len(corpora)), _names(found))
    axes.tick_params(axis="x", length=0)
    axes.margins(y=0.12)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)
    axes.set_ylabel("milliseconds per picture, all cores")
    axes.set_title("What a picture takes: stages alone, and the whole path")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def encoders(found: dict[str, Any]) -> Figure:
    """Pictures per second by runtime."""
    pictures = found["pictures"]
    figure = Figure((7, 0.9 + 0.36 * len(pictures)), layout="constrained")
    axes = figure.subplots()
    colours = [OURS if name.startswith("openvino") else STOCK for name in pictures]
    bars = axes.barh(list(pictures), [one["per_s"] for one in pictures.values()], 0.7, color=colours)
    axes.bar_label(bars, [short(one["per_s"]) for one in pictures.values()], padding=3, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.7)
    axes.set_xlabel("pictures per second, batches of 32")
    axes.set_title("The encoder alone, ViT-B/32")
    return figure


def _names(found: dict[str, Any]) -> list[str]:
    return [name.replace("MP-", " MP, ").replace("MB", " MB") for name in found["corpora"]]
