#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A slow link in user space: every connection to --listen goes on to --to, with delay and a shared bandwidth.

README.md says what of a real link it has and what not."""

import argparse
import asyncio
import collections

# What one connection may have on its way in one direction: a TCP window.
WINDOW_BYTES = 4 << 20
PIECE_BYTES = 32 << 10
# What a link that was free may catch up: a process that is woken late must not make it slower than it is.
CATCH_UP_S = 0.02


class Link:
    """One direction. All connections share its bandwidth, a piece at a time, in turn."""

    def __init__(self, bytes_per_s, delay_s):
        self.bytes_per_s = bytes_per_s
        self.delay_s = delay_s
        self.turn = asyncio.Lock()
        self.free_at = 0.0

    async def send(self, length):
        """Waits until the piece has left; returns when it arrives."""
        loop = asyncio.get_running_loop()
        async with self.turn:
            now = loop.time()
            self.free_at = max(self.free_at, now - CATCH_UP_S) + length / self.bytes_per_s
            wait = self.free_at - now
            # Short waits are saved up: a timer is not that exact.
            if wait > 0.005:
                await asyncio.sleep(wait)
            return self.free_at + self.delay_s


class Pipe:
    """One direction of one connection: reads, sends over the link, and writes when the pieces arrive."""

    def __init__(self, link, reader, writer, not_before):
        self.link, self.reader, self.writer, self.not_before = link, reader, writer, not_before
        self.on_the_way = collections.deque()
        self.bytes = 0
        self.changed = asyncio.Condition()

    async def take(self):
        while True:
            data = await self.reader.read(PIECE_BYTES)
            arrives = await self.link.send(len(data))
            async with self.changed:
                self.on_the_way.append((max(arrives, self.not_before), data))
                self.bytes += len(data)
                self.changed.notify_all()
                if not data:
                    return
                await self.changed.wait_for(lambda: self.bytes < WINDOW_BYTES)

    async def deliver(self):
        loop = asyncio.get_running_loop()
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: self.on_the_way)
                arrives, data = self.on_the_way.popleft()
            await asyncio.sleep(max(0, arrives - loop.time()))
            if not data:
                self.writer.write_eof()
                return
            self.writer.write(data)
            await self.writer.drain()
            async with self.changed:
                self.bytes -= len(data)
                self.changed.notify_all()

    async def run(self):
        await asyncio.gather(self.take(), self.deliver())


async def relay_one(reader, writer, there, up, down):
    far_reader, far_writer = await asyncio.open_connection(*there)
    # The handshake's round trip, which the loopback did not have.
    ready = asyncio.get_running_loop().time() + up.delay_s + down.delay_s
    try:
        await asyncio.gather(Pipe(up, reader, far_writer, ready + up.delay_s).run(),
                             Pipe(down, far_reader, writer, 0).run())
    except OSError:
        pass  # one side has gone away: so does the other
    finally:
        writer.close()
        far_writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--mbit", type=float, default=100, help="bandwidth of each direction (100)")
    parser.add_argument("--round-trip-ms", type=float, default=50, help="delay there and back (50)")
    wanted = parser.parse_args()
    host, port = wanted.to.rsplit(":", 1)
    up, down = (Link(wanted.mbit * 1e6 / 8, wanted.round_trip_ms / 2e3) for _ in range(2))

    async def on_connection(reader, writer):
        await relay_one(reader, writer, (host, int(port)), up, down)

    server = await asyncio.start_server(on_connection, "127.0.0.1", wanted.listen)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
