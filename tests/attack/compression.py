#!/usr/bin/env python3
"""Hostile compressed files: damaged, cut, mislabelled, or made to fill memory and disk."""

import bz2
import lzma
import os
import struct
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import attackkit
from attackkit import EVIL, AttackTest, gz
from compress import COMPRESSORS
from hostile import END, file, header
from netkit import noise

SUFFIXES = ("tgz", "tbz", "txz", "tzst")
TAR = file("usr/share/evil", noise(40)) + END

# RFC 8878, 3.1.1: magic, descriptor (single segment), content size 0, a last block of nothing.
EMPTY_ZSTD = struct.pack("<I", 0xFD2FB528) + b"\x24\0" + b"\1\0\0" + b"\x99\xe9\xd8\x51"


def decoded(data, suffix):
    """What the reference programs make of it; None where they refuse it."""
    try:
        if suffix == "tgz":
            return zlib.decompress(data, 31)
        if suffix == "tbz":
            return bz2.decompress(data)
        if suffix == "txz":
            return lzma.decompress(data)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return None
    done = subprocess.run(["zstd", "-q", "-d", "-c"], input=data, capture_output=True)
    return None if done.returncode else done.stdout


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class Damage(AttackTest):
    def build_from_cache(self, variants, suffix):
        """All variants as packages of one complete cache folder, built with --skip-corrupt: the numbers of those that
        were installed, each of which must have the content of the good one."""
        self.start_anew()
        os.makedirs(self.cache_folder("cache"))
        for number, data in variants.items():
            with open(f"{self.cache_folder('cache')}/v{number}-1-x86_64-P1.{suffix}", "wb") as stream:
                stream.write(data)
        with open(f"{self.cache_folder('cache')}/aaa-1-x86_64-P1.tgz", "wb") as stream:
            stream.write(self.good("aaa"))
        attackkit.tried["variants"] += len(variants)
        result = self.assert_done(self.build("--skip-corrupt", "--offline", timeout_s=200))
        self.assert_host_untouched(result)
        installed = set(os.listdir(f"{self.root}/var/log/packages")) - {"aaa"}
        self.assertEqual(result.err.count("\nplamo-fast: skipped: "), len(variants) - len(installed),
                         str(result)[-2000:])
        return {int(name[1:]) for name in installed}

    def test_flipped_bits(self):
        """xz, bz2, zstd with a flipped bit anywhere (R). A flip that gives the very same bytes (of a bzip2 level, of a
        zstd window size) changes no package, and is taken by every decoder: none other may be."""
        for suffix in SUFFIXES:
            data = COMPRESSORS[suffix](TAR)
            variants = {bit: flipped(data, bit) for bit in range(len(data) * 8)}
            with self.subTest(suffix):
                for bit in self.build_from_cache(variants, suffix):
                    self.assertEqual(decoded(variants[bit], suffix), TAR, f"bit {bit % 8} of byte {bit // 8}")

    def test_flipped_bit_ends_the_build(self):
        """xz, bz2, zstd with a flipped bit anywhere (R): by name, without --skip-corrupt"""
        for suffix in SUFFIXES:
            data = COMPRESSORS[suffix](TAR)
            self.refused(flipped(data, len(data) * 8 - 80), suffix=suffix, what=suffix)

    def test_gzip_check_values(self):
        """gzip with a wrong CRC or length (R)"""
        good = gz(TAR)
        for what, trailer in (("CRC", struct.pack("<II", 1, len(TAR))),
                              ("length", struct.pack("<II", zlib.crc32(TAR), len(TAR) + 1)),
                              ("both", bytes(8)), ("none", b"")):
            self.refused(good[:-8] + trailer, what=what)

    def test_without_check_values(self):
        """xz, … zstd with a flipped bit anywhere (R): where nothing in the file could tell, the file is refused"""
        zstd = subprocess.run(["zstd", "-q", "-c", "--no-check"], input=TAR, capture_output=True, check=True).stdout
        self.refused(lzma.compress(TAR, check=lzma.CHECK_NONE), "check values", suffix="txz")
        self.refused(zstd, "check values", suffix="tzst")

    def test_cut_anywhere(self):
        """cut at every 512-byte boundary … (R): the compressed file, and at each byte of its end"""
        big = file("usr/share/evil", noise(6000)) + END
        for suffix in SUFFIXES:
            data = COMPRESSORS[suffix](big)
            ends = {*range(0, len(data), 512), *range(max(0, len(data) - 40), len(data))}
            with self.subTest(suffix):
                self.assertEqual(self.build_from_cache({n: data[:n] for n in ends}, suffix), set())

    def test_cut_tar(self):
        """cut at every 512-byte boundary … (R): the tar inside a whole compressed file"""
        tar = file("a", noise(1500)) + file("b", noise(600)) + file("install/doinst.sh", ":\n") + END
        for suffix in SUFFIXES:
            cuts = {n: COMPRESSORS[suffix](tar[:n]) for n in range(0, len(tar), 512)}
            # Where one of the two blocks at the end is there, all members are; some programs write no more.
            with self.subTest(suffix):
                self.assertEqual(self.build_from_cache(cuts, suffix), {len(tar) - 512})

    def test_cut_at_frame_ends(self):
        """cut … at frame ends (R): every frame that is there is whole"""
        tar = b"".join(file(f"f{i}", noise(1000, i)) for i in range(4)) + END
        for suffix in SUFFIXES:
            frames = [COMPRESSORS[suffix](tar[i:i + 512]) for i in range(0, len(tar), 512)]
            with self.subTest(suffix):
                variants = {n: b"".join(frames[:n]) for n in range(1, len(frames) - 1)}
                self.assertEqual(self.build_from_cache(variants, suffix), set())
                self.assertEqual(self.build_from_cache({0: b"".join(frames)}, suffix), {0}, "all frames are a package")

    def test_junk_after_the_end(self):
        """junk after the end (R)"""
        for suffix in SUFFIXES:
            pack = COMPRESSORS[suffix]
            data = pack(TAR)
            variants = [data + b"x", data + bytes(512) + b"x", data + b"<html>", data + data, data + pack(b"x"),
                        pack(TAR + b"x"), pack(TAR + bytes(10240) + b"x"), pack(TAR + file("hidden", "x") + END),
                        data + data[:10]]
            with self.subTest(suffix):
                self.assertEqual(self.build_from_cache(dict(enumerate(variants)), suffix), set())

    def test_suffix_and_content_disagree(self):
        """suffix and content disagree (R)"""
        for suffix in SUFFIXES:
            others = [COMPRESSORS[other](TAR) for other in SUFFIXES if other != suffix]
            others += [TAR, b"", b"\x1f", b"<html></html>", b"PK\3\4" + bytes(100), b"\x1f\x9d\x90" + bytes(100),
                       b"\x5d\0\0\x80\0" + b"\xff" * 8 + bytes(50), b"\x1f\x8b" + bytes(50)]
            with self.subTest(suffix):
                self.assertEqual(self.build_from_cache(dict(enumerate(others)), suffix), set())
        self.refused(COMPRESSORS["txz"](TAR), what="txz as tgz")


ZEROS = 1 << 20


class Bombs(AttackTest):
    """Each is some megabytes at the most, which would become hundreds of times as many, or gigabytes."""

    def pipe(self, command, megabytes, before=b"", after=b""):
        """Writes before + zeros + after through a compressor."""
        def write(path):
            with open(path, "wb") as out, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out) as process:
                process.stdin.write(before)
                for _ in range(megabytes):
                    process.stdin.write(bytes(ZEROS))
                process.stdin.write(after)
        return write

    def test_ratio_bomb(self):
        """ratio bomb (R at the cap)"""
        megabytes = 400
        member = header("usr/share/bomb", megabytes * ZEROS)
        for suffix, command in (("tgz", ["gzip", "-9"]), ("tbz", ["bzip2", "-1"]), ("txz", ["xz", "-1", "-T1"]),
                                ("tzst", ["zstd", "-q", "-1", "--check"])):
            self.refused(self.pipe(command, megabytes, member, END), "times its size", suffix=suffix, what=suffix,
                         unprivileged=False)

    def test_gzip_ratio_bomb_of_members(self):
        """ratio bomb, nested frames (R at the cap)"""
        self.refused(lambda path: attackkit.write_gz(path, header("bomb", (8 << 30) - 1), (bytes(ZEROS), 8192), END),
                     "times its size", unprivileged=False)

    def test_nested_frames(self):
        """nested frames (R at the cap): a package in a package is a plain file, and is not opened"""
        inner = gz(file("../../../host/new", "evil") + END)
        for _ in range(10):
            inner = gz(inner)
        for _ in self.contained((EVIL, file("inner.tgz", inner) + END)):
            self.assertEqual(self.read(self.root, "inner.tgz"), inner)
        self.refused(gz(gz(TAR)), what="compressed twice")

    def test_frames_without_content(self):
        """nested frames, endless zstd (R at the cap): frames of nothing, and frames to be skipped"""
        def write(path, frame):
            with open(path, "wb") as stream:
                for _ in range(20):
                    stream.write(frame * max(1, ZEROS // len(frame)))
        # RFC 8878, 3.1.2: four bytes of magic, four of length, content that no decoder looks at.
        skip = struct.pack("<II", 0x184D2A50, 4) + b"junk"
        for what, suffix, frame in (("gzip", "tgz", gz(b"")), ("bzip2", "tbz", bz2.compress(b"")),
                                    ("xz", "txz", lzma.compress(b"")), ("zstd", "tzst", EMPTY_ZSTD),
                                    ("skippable", "tzst", COMPRESSORS["tzst"](TAR[:512]) + skip * 80_000)):
            self.refused(lambda path, frame=frame: write(path, frame), suffix=suffix, what=what, unprivileged=False)

    def test_endless_zstd(self):
        """endless zstd (R at the cap): blocks of one repeated byte, without a last one"""
        # RFC 8878, 3.1.1: magic, descriptor, window of 1 MiB, then blocks: a header (128 KiB, RLE) and the byte.
        frame = struct.pack("<I", 0xFD2FB528) + b"\4" + bytes([(20 - 10) << 3])
        block = struct.pack("<I", (128 * 1024) << 3 | 1 << 1)[:3] + b"\0"
        first = header("usr/share/bomb", (8 << 30) - 1)
        raw = struct.pack("<I", len(first) << 3)[:3] + first
        self.refused(lambda path: self.put_endless(path, frame + raw, block), "times its size",
                     suffix="tzst", unprivileged=False)

    @staticmethod
    def put_endless(path, start, block):
        with open(path, "wb") as stream:
            stream.write(start + block * 200_000)

    def test_zeros_without_end(self):
        """endless zstd, ratio bomb (R at the cap): zeros behind the end of the tar"""
        self.refused(lambda path: attackkit.write_gz(path, TAR, (bytes(ZEROS), 4096)), unprivileged=False)

    def test_memory_for_decoding(self):
        """ratio bomb, endless zstd (R, bounded RAM): a window or a dictionary of gigabytes"""
        command = ["xz", "-T1", "--lzma2=preset=0,dict=4KiB"]
        small = subprocess.run(command, input=TAR, stdout=subprocess.PIPE, check=True).stdout
        # The dictionary's size is one byte of the block's header; the header has a CRC-32.
        block = bytearray(small[12:])
        size = (block[0] + 1) * 4
        at = bytes(block[:size]).index(b"\x21\x01") + 2
        block[at] = 38  # 2 GiB; xz file format 1.1, 5.3.1
        block[size - 4:size] = struct.pack("<I", zlib.crc32(block[:size - 4]))
        self.refused(small[:12] + bytes(block), "memory", suffix="txz", what="xz", unprivileged=False)
        window = struct.pack("<I", 0xFD2FB528) + b"\0" + bytes([(31 - 10) << 3]) + struct.pack("<I", 1)[:3]
        self.refused(window, "memory", suffix="tzst", what="zstd", unprivileged=False)


if __name__ == "__main__":
    attackkit.main()
