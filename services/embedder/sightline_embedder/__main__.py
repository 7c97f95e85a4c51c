"""`python -m sightline_embedder`: run an embedder."""

import sys

from sightline.errors import SightlineError, Unavailable
from sightline.logs import configure_logging
from sightline.process import end_with_parent
from sightline.settings import read_settings
from sightline_embedder.worker import run_worker


def main() -> int:
    """Run until SIGTERM; 2 when it cannot start, with the reason on standard error.

    Returns 1 when another start may well succeed: the supervisor of an embedded stack gives up at a 2.
    """
    end_with_parent()
    try:
        settings = read_settings()
        configure_logging(settings.log_level, "embedder")
        run_worker(settings)
    except SightlineError as error:
        sys.stderr.write(f"sightline embedder: {error}\n")
        return 1 if isinstance(error, Unavailable) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
