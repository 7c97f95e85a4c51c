"""A second address of the double of Qdrant: passes connections on. Never shipped."""

import argparse
import asyncio
from contextlib import suppress


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def forward(port: int, host: str, to_port: int) -> None:
    """Serve for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(host, to_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(serve, "0.0.0.0", port)
    await server.serve_forever()


def main() -> None:
    """Run the forwarder."""
    arguments = argparse.ArgumentParser(description="Pass connections on.")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--to", required=True)
    told = arguments.parse_args()
    host, _, to_port = told.to.rpartition(":")
    asyncio.run(forward(told.port, host, int(to_port)))


if __name__ == "__main__":
    main()
