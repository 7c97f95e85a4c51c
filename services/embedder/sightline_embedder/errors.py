"""Errors of the embedder alone; those it shares are in `sightline.errors`."""

from sightline.errors import ModelError, SightlineError


class SourceError(SightlineError):
    """A source cannot be listed at all, or not further: the job fails, no picture is blamed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class EncoderBroken(ModelError):
    """A model fails at a blank picture too: no picture is blamed, and its batch is run again."""

    def __init__(self, model: str, numerics: str, error: Exception) -> None:
        super().__init__(
            f"Model {model} encodes no picture any more on {numerics} ({type(error).__name__}: {error}). "
            f"Restart this embedder; if that does not help, try SIGHTLINE_PRECISION=f32 or build the model "
            f"again."
        )


class DownloadPutOff(SightlineError):
    """Another download goes on in this embedder: planning is asked for again when that has ended."""

    def __init__(self) -> None:
        super().__init__("Another archive or manifest is being downloaded; this one's turn comes after it.")


class DestinationsChanged(SightlineError):
    """A migration began while a batch was written, and needs its pictures too: the batch is run again."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"A migration of collection '{collection}' began meanwhile; the batch is run again.")


class PlannedElsewhere(SightlineError):
    """Another embedder has planned on while this one was held up, and must not be interfered with."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} was planned on by another embedder meanwhile.")


class JobOver(SightlineError):
    """A job was canceled, or ended otherwise, while it was planned: nothing more may come of it."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} ended while it was planned.")


class PointsGone(SightlineError):
    """Points were removed while a batch wrote to them: the batch is to be run again."""

    def __init__(self, points: int) -> None:
        super().__init__(f"{points} points were removed while their batch was written; it is run again.")
