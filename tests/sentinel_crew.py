"""Redis as it survives the loss of a machine: a master, a replica and three sentinels, all real processes."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

PASSWORD = "a-password-of-redis"
SENTINEL_PASSWORD = "a-password-of-sentinels"
SERVICE = "queue"
_SENTINEL = """\
port {port}
bind 127.0.0.1
dir {folder}
requirepass {sentinel_password}
sentinel monitor {service} 127.0.0.1 {master} 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} 2000
sentinel failover-timeout {service} 3000
sentinel parallel-syncs {service} 1
"""


@dataclass
class Server:
    """One redis-server, as a store or as a sentinel."""

    command: list[str]
    port: int
    folder: Path
    password: str
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, cwd=self.folder)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def client(self) -> Redis:
        return Redis(port=self.port, password=self.password, decode_responses=True, socket_timeout=2)

    def answers(self, question: Callable[[Redis], Any]) -> Any:
        with suppress(RedisError, OSError), self.client() as client:
            return question(client)
        return None


@dataclass
class Crew:
    """All of them, and the URL that leads to whoever is the master."""

    stores: list[Server]
    sentinels: list[Server] = field(default_factory=list)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        login = f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}/0"
        return f"{login}?sentinel_password={SENTINEL_PASSWORD}"

    def master(self) -> Server:
        """The store that is the master now."""
        masters = [one for one in self.stores if one.answers(lambda redis: redis.role()[0]) == "master"]
        assert len(masters) == 1, masters
        return masters[0]

    def replica(self) -> Server:
        return next(one for one in self.stores if one.answers(lambda redis: redis.role()[0]) == "slave")

    def settled(self) -> bool:
        """Whether there is a master with a replica in step, and all sentinels know of all."""
        return any(one.answers(_has_replica) for one in self.stores) and all(
            one.answers(_knows_all) for one in self.sentinels
        )

    def fail_over(self) -> Server:
        """Kill the master; the store that has taken its place."""
        killed = self.master()
        killed.kill()
        left = next(one for one in self.stores if one is not killed)
        until(lambda: left.answers(lambda redis: redis.role()[0]) == "master", "the replica has taken over")
        return killed


def until(condition: Callable[[], Any], what: str, within_s: float = 60.0) -> Any:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s:.0f} s: {what}")


@contextmanager
def running_crew(folder: Path) -> Iterator[Crew]:
    """A crew that has found together."""
    from sightline_local.redis_child import find_redis_binary

    binary = find_redis_binary()
    with ExitStack() as stack:

        def made(name: str, password: str, arguments: Callable[[int, Path], list[str]]) -> Server:
            port, place = _free_port(), folder / name
            place.mkdir(parents=True)
            server = Server([binary, *arguments(port, place)], port, place, password)
            stack.callback(lambda: server.alive() and server.kill())
            server.start()
            until(lambda: server.answers(lambda redis: redis.ping()), f"{name} answers")
            return server

        def store(master: int | None) -> Callable[[int, Path], list[str]]:
            def arguments(port: int, place: Path) -> list[str]:
                options = {"port": port, "bind": "127.0.0.1", "dir": place, "save": ""}
                options |= {"requirepass": PASSWORD, "masterauth": PASSWORD, "appendonly": "yes"}
                options |= {"repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
                following = {"replicaof": f"127.0.0.1 {master}"} if master else {}
                named = (options | following).items()
                return [word for name, value in named for word in (f"--{name}", *str(value).split(" "))]

            return arguments

        def sentinel(port: int, place: Path) -> list[str]:
            config = place / "sentinel.conf"
            config.write_text(
                _SENTINEL.format(
                    port=port,
                    folder=place,
                    service=SERVICE,
                    master=first.port,
                    password=PASSWORD,
                    sentinel_password=SENTINEL_PASSWORD,
                )
            )
            return [str(config), "--sentinel"]

        first = made("first", PASSWORD, store(None))
        crew = Crew([first, made("second", PASSWORD, store(first.port))])
        crew.sentinels = [made(f"sentinel-{n}", SENTINEL_PASSWORD, sentinel) for n in range(3)]
        until(crew.settled, "master, replica and sentinels have found together")
        yield crew


def _has_replica(redis: Redis) -> bool:
    about = redis.info("replication")
    return bool(about["role"] == "master" and about.get("slave0", {}).get("state") == "online")


def _knows_all(redis: Redis) -> bool:
    known = redis.sentinel_master(SERVICE)
    return bool(known["num-slaves"] == 1 and known["num-other-sentinels"] == 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
