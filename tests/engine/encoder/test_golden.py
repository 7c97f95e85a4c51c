from pathlib import Path

import numpy as np

from sightline.encoder.golden import Golden


def test_reads_what_was_written(tmp_path: Path) -> None:
    golden = Golden(
        views=np.arange(24, dtype=np.uint8).reshape(2, 1, 2, 2, 3),
        image_vectors=np.eye(2, dtype=np.float32),
        texts=("a cat", "夕焼け, “quoted”"),
        text_vectors=np.eye(2, dtype=np.float32)[::-1],
    )

    golden.write(tmp_path / "golden.npz")
    read = Golden.read(tmp_path / "golden.npz")

    assert read.texts == golden.texts
    np.testing.assert_array_equal(read.views, golden.views)
    np.testing.assert_array_equal(read.image_vectors, golden.image_vectors)
    np.testing.assert_array_equal(read.text_vectors, golden.text_vectors)
