"""Builds HNSW on a shard that nobody has open, and ends. It works only in time that nobody else wants.

python -m sightline.index.edge.shard_build --folder DIR --dimension N --quantization Q [--on-disk]
    --full-scan-kb KIB --parent PID
"""

import argparse
import os
import sys
from pathlib import Path

from sightline.index.edge.engine import EdgeShard
from sightline.index.tuning import VectorLayout
from sightline.process import be_killed_with
from sightline.settings import Quantization

NICENESS = 19


def main() -> int:
    """Build; returns 0, or 1 if the process that asked for it is gone."""
    parser = argparse.ArgumentParser(prog="python -m sightline.index.edge.shard_build", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the shard is")
    parser.add_argument("--dimension", type=int, required=True)
    parser.add_argument("--quantization", type=Quantization, required=True)
    parser.add_argument("--on-disk", action="store_true", help="keep the original vectors out of memory")
    parser.add_argument("--full-scan-kb", type=int, required=True, help="compare all up to this many KiB")
    parser.add_argument("--parent", type=int, required=True, help="end with this process (Linux)")
    options = parser.parse_args()
    os.nice(NICENESS)
    if not be_killed_with(options.parent):
        return 1
    layout = VectorLayout(options.quantization, options.on_disk)
    EdgeShard.optimize(options.folder, options.dimension, layout, options.full_scan_kb)
    return 0


if __name__ == "__main__":
    sys.exit(main())
