"""What went on while a page was open: its requests, and what went wrong."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

_FROM_MEMORY = ("blob:", "data:")
_NOT_LOADED = "Failed to load resource"
"""How the browser itself comments on an answer of 400 and above, and on none."""


@dataclass
class Record:
    """The requests of a context, and its faults as sentences."""

    origin: str
    requests: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> Self:
        """Record all that happens in a context."""
        context.on("request", self._sent)
        context.on("response", self._answered)
        context.on("console", self._said)
        context.on("weberror", self._thrown)
        return self

    def sent(self, method: str, path: str) -> list[Request]:
        """The requests of a method to paths that begin with this one."""
        return [
            one for one in self.requests if one.method == method and urlsplit(one.url).path.startswith(path)
        ]

    def outside(self) -> list[str]:
        """The addresses of requests that left the page's origin; those that its policy stopped did not."""
        own = (*_FROM_MEMORY, f"{self.origin}/")
        return [one.url for one in self.requests if not one.url.startswith(own) and one.failure != "csp"]

    def _sent(self, request: Request) -> None:
        self.requests.append(request)

    def _answered(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if response.status >= 400 and not path.startswith("/v1/"):
            self.faults.append(f"{response.status} for {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_NOT_LOADED):
            self.faults.append(f"{message.type}: {message.text}")

    def _thrown(self, error: WebError) -> None:
        self.faults.append(f"thrown: {error.error.message}\n{error.error.stack}")
