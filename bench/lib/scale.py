# SPDX-License-Identifier: LGPL-2.1-or-later
"""What grows with what: packages and folders of a mirror, bytes and files of a package, workers."""

import asyncio
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import time

import contenders
import measure
import places
import serve
from bench import note
from server import free_port
from work import ARCH, COMPRESSORS, ALL_CATEGORIES

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures"))

from tarball import file, folder, tar_bytes  # noqa: E402 (found by the line above)

FOLDERS, PER_FOLDER = 200, 50
SLOW_PAGE_S = 0.05
GIB = 1 << 30


def _names(category, number):
    """The sub-folders of a category, and their packages."""
    for sub in range(number // len(ALL_CATEGORIES)):
        yield f"sub{sub:03}", [f"{category[3:]}_{sub:03}_{i:03}-1.0-{ARCH}-B1.tzst" for i in range(PER_FOLDER)]


def _make_mirror(top, folders):
    """Empty files: a plan looks at names alone."""
    for category in ALL_CATEGORIES:
        for sub, names in _names(category, folders):
            where = os.path.join(top, "mirror", "Plamo-8.x", ARCH, "plamo", category, sub)
            os.makedirs(where)
            for name in names:
                open(os.path.join(where, name), "w").close()


def _plan(bin_folder, url, *more):
    return measure.timed([os.path.join(bin_folder, "plamo-fast"), "plan", "--release", "8.x", "--mirror", url,
                          "--categories", " ".join(ALL_CATEGORIES), "--no-checksums", "-q", *more],
                         contenders.environment())


class SlowPages:
    """An index server that takes its time for each page, and counts how many are asked for at once."""

    def __init__(self, folders):
        self.folders, self.now, self.most = folders, 0, 0
        self.port = free_port()
        self.loop = asyncio.new_event_loop()

    def _page(self, path):
        parts = [part for part in path.split("/") if part]
        if parts[-1] in ALL_CATEGORIES:
            links = [f"{sub}/" for sub, _ in _names(parts[-1], self.folders)]
        else:
            links = dict(_names(parts[-2], self.folders)).get(parts[-1], []) if len(parts) > 1 else []
        return "<html><body><pre><a href=\"../\">../</a>\n" + "".join(
            f'<a href="{link}">{link}</a>  01-Jan-2026 00:00  1\n' for link in links) + "</pre></body></html>"

    async def _connection(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"HEAD"):    # the size of a package, which is no folder
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
                await writer.drain()
                continue
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(SLOW_PAGE_S)
            self.now -= 1
            body = self._page(re.match(rb"\S+ (\S+)", head).group(1).decode()).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async def _on_connection(self, reader, writer):
        try:
            await self._connection(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def __enter__(self):
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        time.sleep(0.2)
        return self

    def _serve(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._on_connection, "127.0.0.1", self.port))
        self.loop.run_forever()
        server.close()

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def many_packages(bin_folder, tmpfs):
    """P8: plans of a quarter, a half and all of the synthetic mirror; and how many folders are read at once."""
    found = {"plans": []}
    for folders in (FOLDERS // 4, FOLDERS // 2, FOLDERS):
        with places.place(tmpfs, "tmpfs") as top:
            _make_mirror(top, folders)
            with serve.WorkServer(top) as server:
                samples = [_plan(bin_folder, serve.mirror_url(server.address)) for _ in range(5)]
        found["plans"].append({"folders": folders, "packages": folders * PER_FOLDER,
                               "seconds": measure.median(samples), "rss_bytes": measure.median(samples, "rss_bytes")})
        note(f"plan of {folders * PER_FOLDER} packages in {folders} folders: {found['plans'][-1]['seconds']:.3f} s, "
             f"{found['plans'][-1]['rss_bytes'] / (1 << 20):.1f} MiB")
    with SlowPages(FOLDERS) as slow:
        sample = _plan(bin_folder, f"http://127.0.0.1:{slow.port}")
        found["in_flight"], found["slow_s"] = slow.most, sample.seconds
    note(f"{found['in_flight']} folders in flight; {FOLDERS} pages of {SLOW_PAGE_S * 1e3:.0f} ms each "
         f"in {found['slow_s']:.2f} s")
    return found


def _one_package(top, name, members):
    """A mirror with nothing but this package."""
    where = os.path.join(top, "mirror", "Plamo-8.x", ARCH, "plamo", "00_base")
    os.makedirs(where)
    with open(os.path.join(where, f"{name}-1.0-{ARCH}-B1.tzst"), "wb") as out:
        with subprocess.Popen(COMPRESSORS["tzst"], stdin=subprocess.PIPE, stdout=out) as compressor:
            members(compressor.stdin)
            compressor.stdin.close()


def _large(out):
    """1 GiB in one file, of bytes that compress to about a half."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("large")
        info.size = GIB
        tar.addfile(info, _Half())


class _Half(io.RawIOBase):
    """Half random, half zeros, in pieces."""

    def __init__(self):
        super().__init__()
        self.piece = b"".join(os.urandom(512) + bytes(512) for _ in range(1024))

    def read(self, size=-1):
        return (self.piece * (size // len(self.piece) + 1))[:size]


def _tiny(count):
    def members(out):
        listed = []
        for number in range(count):
            if number % 500 == 0:
                listed.append(folder(f"tiny/{number // 500:04}"))
            listed.append(file(f"tiny/{number // 500:04}/{number:06}", b"%d\n" % number))
        out.write(tar_bytes(listed))
    return members


def _prepare(bin_folder, tmpfs, members, name):
    with places.place(tmpfs, "tmpfs") as top:
        _one_package(top, "package", members)
        with serve.WorkServer(top) as server:
            sample = measure.timed(
                [os.path.join(bin_folder, "bench-stages"), "prepare", "--release", "8.x", "--jobs", "2",
                 "--mirror", serve.mirror_url(server.address), "--cache", os.path.join(top, "cache"),
                 "--categories", "00_base", "--limit", "ratio=100000"], contenders.environment())
    note(f"{name}: {sample.seconds:.2f} s, {sample.cpu_s:.2f} s cpu, {sample.rss_bytes >> 20} MiB")
    return {"seconds": sample.seconds, "cpu_s": sample.cpu_s, "rss_bytes": sample.rss_bytes}


def _many_workers(bin_folder, tmpfs, work):
    """The whole work by few and many workers."""
    found = {}
    for jobs in (1, 2, 8, 64):
        with places.place(tmpfs, "tmpfs") as top, serve.WorkServer(work.folder) as server:
            sample = measure.timed(
                [os.path.join(bin_folder, "bench-stages"), "prepare", "--release", "8.x", "--jobs", str(jobs),
                 "--mirror", serve.mirror_url(server.address), "--cache", os.path.join(top, "cache"),
                 "--categories", " ".join(ALL_CATEGORIES)], contenders.environment())
        note(f"{jobs} workers: {sample.seconds:.2f} s, {sample.cpu_s:.2f} s cpu, {sample.rss_bytes >> 20} MiB")
        found[jobs] = {"seconds": sample.seconds, "cpu_s": sample.cpu_s, "rss_bytes": sample.rss_bytes}
    return found


def run(bin_folder, tmpfs, work):
    found = {"P8": many_packages(bin_folder, tmpfs)}
    found["large"] = _prepare(bin_folder, tmpfs, _large, "1 GiB in one file")
    found["tiny"] = {count: _prepare(bin_folder, tmpfs, _tiny(count), f"{count} tiny files")
                     for count in (25_000, 50_000, 100_000, 200_000)}
    found["workers"] = _many_workers(bin_folder, tmpfs, work)
    return found
