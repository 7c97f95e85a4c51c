"""`sightline eval --model` as a user types it: artifacts measured without a running Sightline."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder, cpu_has_bf16
from sightline.settings import Precision
from sightline_local.samples import copy_samples

CAPTIONS = {
    "astronaut.png": "an astronaut",
    "brick.png": "a brick wall",
    "camera.png": "a photographer with a camera",
    "chelsea.png": "a cat",
    "china.jpg": "a temple",
    "clock_motion.png": "a clock",
    "coffee.png": "a cup of coffee",
    "coins.png": "coins",
    "flower.jpg": "a red flower",
    "grass.png": "grass",
    "gravel.png": "stones",
    "horse.png": "a horse",
    "hubble_deep_field.jpg": "stars",
    "moon.png": "the moon",
    "motorcycle_left.png": "a motorcycle",
    "motorcycle_right.png": "a motorcycle",
    "page.png": "a page of a book",
    "rocket.jpg": "a rocket",
    "text.png": "handwritten text",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_samples(tmp_path_factory.mktemp("photos"))
    for name, caption in CAPTIONS.items():
        (folder / name).with_suffix(".txt").write_text(caption)
    (folder / "broken.jpg").write_text("no picture")
    (folder / "broken.txt").write_text("a cat")
    return folder


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files with a short name: sockets are made in it."""
    with TemporaryDirectory(prefix="sl-") as folder:
        yield Path(folder)


def evaluate(*words: object, start: Sequence[str] = ("-m", "sightline_local"), **environment: str) -> Any:
    environment |= {"COLUMNS": "150", "SIGHTLINE_URL": "http://127.0.0.1:1"}
    command = [sys.executable, *start, "eval", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | environment, check=False
    )


def figures_by_hand(artifact: Path, folder: Path) -> tuple[float, float]:
    """Recall at 1 and the mean reciprocal rank among the first ten, from cosines alone."""
    encoder = OpenVinoEncoder(open_artifact(artifact))
    pictures = [Image.open(folder / name).convert("RGB") for name in CAPTIONS]
    captions = list(dict.fromkeys(CAPTIONS.values()))
    scores = encoder.encode_texts(captions) @ encoder.encode_images(pictures).T
    right = np.array(captions)[:, None] == np.array(list(CAPTIONS.values()))
    order = (-scores).argsort(axis=1)
    ranks = [1 + int(one.argmax()) for one in np.take_along_axis(right, order, axis=1)]
    return fmean(rank == 1 for rank in ranks), fmean(1 / rank if rank <= 10 else 0 for rank in ranks)


def test_every_combination_is_a_row_and_finds_what_cosines_find(
    photos: Path, temporary: Path, starter_artifact: Path
) -> None:
    words = ["--quantization", "none", "--quantization", "int8", "--ef", 12, "--ef", 128, "--exact"]
    plot = temporary / "plot.svg"

    ended = evaluate(
        *(photos, "--model", starter_artifact, *words, "--plot", plot, "--json"), TMPDIR=str(temporary)
    )

    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert (found["pictures"], len(found["left_out"])) == (19, 1)
    assert "broken.jpg" in found["left_out"][0]
    rows = found["rows"]
    combinations = [(quantization, ef) for quantization in ("none", "int8") for ef in (12, 128, None)]
    assert [(row["quantization"], row["ef"]) for row in rows] == combinations
    for row in rows:
        assert (row["model"]["name"], row["precision"], row["queries"]) == ("starter", "f32", 18)
        assert row["walks_graph"] is not row["exact"] is (row["ef"] is None)
        assert 0 < row["encode_ms"] <= row["p95_ms"]
    recall, mrr = figures_by_hand(starter_artifact, photos)
    assert recall >= 0.6
    for row in rows:
        if row["ef"] != 12:
            assert (row["recall_at_1"], row["mrr"]) == pytest.approx((recall, mrr))
            assert row["relevance_kept"] == rows[2]["relevance_kept"] > 0
    drawn = plot.read_text()
    assert all(said in drawn for said in ("recall@10", "starter f32, int8 vectors, ef 128", "exact"))
    # Of the indexes nothing is left.
    assert [path.name for path in temporary.iterdir()] == ["plot.svg"]


@pytest.mark.long
def test_precisions_of_a_model_and_bars_that_hold_for_every_row(
    photos: Path, temporary: Path, tiny_clip_artifact: Path
) -> None:
    held = open_artifact(tiny_clip_artifact).manifest.precisions
    precisions = [one for one in held if one is not Precision.BF16 or cpu_has_bf16()]
    words = [word for precision in precisions for word in ("--precision", precision)]
    bars = ["--bar", "recall@1=1", "--bar", "p95_ms=1e6"]

    ended = evaluate(
        photos,
        "--model",
        tiny_clip_artifact,
        *words,
        "--quantization",
        "turbo4",
        *bars,
        TMPDIR=str(temporary),
    )

    # Random weights find nothing at the first try that often.
    assert ended.returncode == 1, ended.stderr
    for precision in precisions:
        assert f"tiny-clip {precision}, turbo4 vectors, ef 400: recall_at_1 misses its bar" in ended.stdout
    assert "p95_ms misses" not in ended.stdout
    assert "18 captions searched among 19 pictures" in ended.stdout
    assert "broken.jpg" in ended.stdout
    assert "every one was compared" not in ended.stdout


def test_so_few_vectors_that_all_are_compared_are_said_to_be(
    tmp_path: Path, photos: Path, temporary: Path, tiny_clip_artifact: Path
) -> None:
    for name in ("chelsea.png", "chelsea.txt", "rocket.jpg", "rocket.txt"):
        shutil.copyfile(photos / name, tmp_path / name)

    ended = evaluate(tmp_path, "--model", tiny_clip_artifact, "--bar", "recall@10=1", TMPDIR=str(temporary))

    assert ended.returncode == 0, ended.stderr
    assert "every one was compared" in ended.stdout


@pytest.mark.long
def test_what_cannot_be_measured_is_said_in_a_sentence(
    photos: Path, tmp_path: Path, starter_artifact: Path
) -> None:
    judged = tmp_path / "judged.jsonl"
    judged.write_text('{"query": "a cat", "relevant": ["one"]}\n')
    empty = tmp_path / "empty"
    empty.mkdir()
    model = ("--model", starter_artifact)
    sentences = {
        (
            photos,
            *model,
            "--precision",
            "bf16",
        ): "has no bf16 that was judged fit for the model: --precision may be",
        (empty, *model): f"There are no queries in {empty}",
        (judged, *model): "With --model, give a folder of captioned pictures",
        (photos, "--model", empty): str(empty),
        (photos, *model, "--plot", tmp_path / "plot.gif"): "ends in .svg or .png",
        (photos, *model, "--plot", tmp_path / "none" / "plot.svg"): "There is no folder",
        (photos, *model, "--bar", "beauty=1"): "no figure 'beauty'",
    }
    for words, sentence in sentences.items():
        ended = evaluate(*words)
        assert ended.returncode == 2, words
        assert ended.stderr.startswith("sightline: "), ended.stderr
        assert sentence in ended.stderr
        assert (len(ended.stderr.splitlines()), ended.stdout) == (1, "")


def test_options_that_do_not_go_together_are_refused(
    photos: Path, tmp_path: Path, starter_artifact: Path
) -> None:
    model = ("--model", starter_artifact)
    said = {
        (*model, "--quantization", "int3"): "'int3' is not one of",
        (*model, "--precision", "f16"): "'f16' is not one of",
        (*model, "--ef", "0"): "greater than or equal to 1",
        ("--model", tmp_path / "none"): "does not exist",
        (*model, "--collection", "images"): "without --model",
        ("--ef", "16"): "go with --model",
        ("--plot", tmp_path / "plot.svg"): "go with --model",
    }
    for words, sentence in said.items():
        ended = evaluate(photos, *words)
        assert ended.returncode == 2, words
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_plot_without_matplotlib_is_refused_before_anything_is_measured(
    photos: Path, tmp_path: Path, starter_artifact: Path
) -> None:
    lacking = "import sys; sys.modules['matplotlib'] = None; from sightline_local.main import main; main()"

    ended = evaluate(
        photos, "--model", starter_artifact, "--plot", tmp_path / "plot.svg", start=("-c", lacking)
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("sightline: Plots need matplotlib: `pip install 'sightline-local[plots]'`")
