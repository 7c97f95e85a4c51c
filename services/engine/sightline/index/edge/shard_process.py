"""A process with one shard: an engine's calls hold the GIL, and here nobody else needs it.

    python -m sightline.index.edge.shard_process --folder DIR --channel FD --parent PID

It answers calls over an inherited socket, one at a time, and ends when the other side closes it, and (on
Linux) in the middle of a call when its parent dies. What it has not flushed is in the write-ahead log.
"""

import argparse
import socket
import sys
from pathlib import Path

import msgspec

from sightline.index.edge import shard_calls as calls
from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.frames import MAX_LENGTH, receive_frame, send_frame
from sightline.process import be_killed_with


def main() -> int:
    """Serve one shard; returns 0, or 1 when it cannot be opened, which the channel has been told."""
    parser = argparse.ArgumentParser(prog="python -m sightline.index.edge.shard_process", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the shard is")
    parser.add_argument("--channel", type=int, required=True, help="the descriptor of a connected socket")
    parser.add_argument("--parent", type=int, required=True, help="end with this process (Linux)")
    options = parser.parse_args()
    if not be_killed_with(options.parent):
        return 0
    with socket.socket(fileno=options.channel) as channel:
        try:
            shard = EdgeShard.load(options.folder)
        except BaseException as error:  # a panic of the engine is no Exception
            send_frame(channel, msgspec.msgpack.encode(calls.Failed(str(error))))
            return 1
        try:
            send_frame(channel, msgspec.msgpack.encode(calls.Done()))
            _serve(channel, shard)
        except ConnectionError:
            return 0  # the index process was killed
    return 0


def _serve(channel: socket.socket, shard: EdgeShard) -> None:
    decoder: msgspec.msgpack.Decoder[calls.Call] = msgspec.msgpack.Decoder(calls.Call)
    while (body := receive_frame(channel, limit=MAX_LENGTH)) is not None:
        call = decoder.decode(body)
        try:
            reply = _answer(shard, call)
        except BaseException as error:  # a panic of the engine is no Exception
            reply = calls.Failed(f"{type(error).__name__}: {error}")
        send_frame(channel, msgspec.msgpack.encode(reply))
        if isinstance(call, calls.Close):
            return


def _answer(shard: EdgeShard, call: calls.Call) -> calls.Reply:
    match call:
        case calls.Search():
            hits = shard.search(
                call.ranking,
                call.clause,
                limit=call.limit,
                offset=call.offset,
                exact=call.exact,
                ef=call.ef,
                with_vectors=call.with_vectors,
            )
            return calls.Ranked(hits)
        case calls.Apply(changes):
            shard.apply(changes)
        case calls.Retrieve(ids, with_vectors):
            return calls.Found(shard.retrieve(ids, with_vectors=with_vectors))
        case calls.FindNeighbours(ids, limit):
            return calls.Near(shard.neighbours(ids, limit))
        case calls.ByTime(field, descending, clause, limit):
            return calls.Found(shard.by_time(field, descending=descending, clause=clause, limit=limit))
        case calls.ById(clause, after, limit, with_vectors):
            return calls.Found(shard.by_id(clause, after=after, limit=limit, with_vectors=with_vectors))
        case calls.Count(clause):
            return calls.Counted(shard.count(clause))
        case calls.Facet(field, clause, limit):
            return calls.Values(shard.facet(field, clause, limit=limit))
        case calls.Sample(limit):
            return calls.Vectors(shard.sample(limit))
        case calls.Size():
            return shard.size()
        case calls.Flush():
            shard.flush()
        case calls.Close():
            shard.close()
    return calls.Done()


if __name__ == "__main__":
    sys.exit(main())
