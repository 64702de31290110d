"""Seeds of the targets that take archives, scripts and compressed files: from the fixtures, and hostile ones."""

import bz2
import gzip
import io
import lzma
import struct
import zlib

import bad
import tarball
from cases import case_packages
from package import _doinst, _members
from tarball import device, fifo, file, folder, hardlink, symlink

RELEASE, ARCH = "8.x", "x86_64"
# Larger ones only slow a fuzzer down.
MAX_BYTES = 24 * 1024
# The first byte of the targets `stage` and `commit`: see package.h.
MENDED, AS_IT_IS, PACKED = 0, 1, 2
# The order of enum pf_format.
FORMATS = ("tgz", "tbz", "txz", "tzst")


def _pax(records, members, kind="x"):
    """A PAX header before the members; records are (key, value) of bytes."""
    body = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        while len(str(length)) + len(key) + len(value) + 3 != length:
            length = len(str(length)) + len(key) + len(value) + 3
        body += b"%d %s=%s\n" % (length, key, value)
    return _raw(b"PaxHeaders/x", kind.encode(), body) + members


def _raw(name, kind, body=b"", target=b"", size=None, prefix=b"", magic=b"ustar\x0000"):
    """One member with a header of our own making."""
    header = bytearray(512)
    header[0:len(name)] = name
    header[100:108] = b"0000644\0"
    header[108:116] = header[116:124] = b"0000000\0"
    header[124:136] = size if size is not None else b"%011o\0" % len(body)
    header[136:148] = b"%011o\0" % 1_500_000_000
    header[148:156] = b" " * 8
    header[156:157] = kind
    header[157:157 + len(target)] = target
    header[257:265] = magic
    header[345:345 + len(prefix)] = prefix
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + body + bytes(-len(body) % 512)


END = bytes(1024)


def tar_bytes(members):
    """A tar that ends with the two blocks, not with the twenty that Python fills up to."""
    data = tarball.tar_bytes(members).rstrip(b"\0")
    return data + bytes(-len(data) % 512) + END


def _hostile_names():
    long = "n" * 300
    return {
        "dotdot": [file("../x", "x")],
        "dotdot-inside": [file("a/../../x", "x")],
        "absolute": [file("/etc/passwd", "x")],
        "absolute-link": [symlink("/tmp/l", "x")],
        "root-as-file": [file("./", "x")],
        "dot-link": [symlink(".", "x")],
        "long-name": [file(long, "x")],
        "deep": [file("/".join("d" * 40), "x")],
        "odd-names": [file("a\nb", "x"), file("a\x1b[31m", "x"), file("-rf", "x"), file("a b'\"$;*", "x"),
                      file(b"\xc6\xfc\xff".decode("utf-8", "surrogateescape"), "x")],
        "install-as-file": [file("install", "x")],
        "install-as-link": [symlink("install", "/etc"), file("install/doinst.sh", "x")],
        "control-as-link": [symlink("install/doinst.sh", "../../../etc/passwd")],
        "control-twice": [file("install/doinst.sh", "a"), file("install/doinst.sh", "bb")],
        "control-folder": [folder("install/slack-desc"), file("install/slack-desc/x", "x")],
    }


def _hostile_links():
    return {
        "link-then-through": [symlink("l", "../beside"), file("l/file", "x")],
        "link-then-through-absolute": [symlink("l", "/etc"), file("l/passwd", "x")],
        "link-then-over": [symlink("l", "../sentinel"), file("l", "x")],
        "link-then-folder": [symlink("l", "../beside"), folder("l")],
        "folder-then-link": [folder("d"), symlink("d", "../beside"), file("d/file", "x")],
        "file-then-below": [file("a", "x"), file("a/b", "x")],
        "hard-outside": [hardlink("h", "../sentinel"), hardlink("i", "/etc/passwd")],
        "hard-missing": [hardlink("h", "missing")],
        "hard-self": [file("h", "x"), hardlink("h", "h")],
        "hard-through-link": [symlink("l", ".."), hardlink("h", "l/sentinel")],
        "hard-of-link": [symlink("l", "../sentinel"), hardlink("h", "l"), file("h", "x")],
        "hard-of-folder": [folder("d"), hardlink("h", "d")],
        "link-chain": [symlink(f"l{i}", f"l{i + 1}") for i in range(45)] + [file("l0/x", "x")],
        "link-loop": [symlink("a", "b"), symlink("b", "a"), file("a/x", "x")],
        "again": [file("f", "one"), hardlink("g", "f"), file("f", "two"), symlink("f", "g"), fifo("f")],
    }


def _raw_tars():
    sparse = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"),
              (b"GNU.sparse.realsize", b"9000000"))
    plain = _raw(b"f", b"0", b"content\n")
    return {
        "pax-path": _pax([(b"path", b"../x")], plain) + END,
        "pax-path-absolute": _pax([(b"path", b"/etc/passwd")], plain) + END,
        "pax-linkpath": _pax([(b"linkpath", b"/etc/passwd")], _raw(b"h", b"1")) + END,
        "pax-size": _pax([(b"size", b"4")], plain) + END,
        "pax-size-huge": _pax([(b"size", b"9223372036854775807")], plain) + END,
        "pax-size-negative": _pax([(b"size", b"-1")], plain) + END,
        "pax-owner": _pax([(b"uid", b"-1"), (b"gid", b"99999999999")], plain) + END,
        "pax-time": _pax([(b"mtime", b"-99999999999999999999.999999999")], plain) + END,
        "pax-global": _pax([(b"path", b"g")], plain, kind="g") + END,
        "pax-sparse": _pax(sparse, _raw(b"f", b"0", b"1\n8999999\n1\n".ljust(512, b"\0") + b"x")) + END,
        "pax-acl": _pax([(b"SCHILY.acl.access", b"user::rwx"), (b"SCHILY.xattr.user.a", b"b")], plain) + END,
        "pax-hard-with-data": plain + _pax([(b"path", b"h")], _raw(b"h", b"1", b"other", target=b"f")) + END,
        "pax-long": _pax([(b"path", b"a/" * 3000)], plain) + END,
        "size-negative": _raw(b"f", b"0", b"x", size=b"\xff" * 12) + END,
        "size-huge": _raw(b"f", b"0", b"x", size=b"\x80" + b"\x7f" * 11) + END,
        "long-name-size": _raw(b"././@LongLink", b"L", b"x" * 10, size=b"77777777777\0", magic=b"ustar  \0") + plain,
        "long-link": _raw(b"././@LongLink", b"K", b"y" * 300 + b"\0", magic=b"ustar  \0") + _raw(b"l", b"2") + END,
        "prefix": _raw(b"f", b"0", b"x", prefix=b"../../a") + END,
        "kinds": b"".join(_raw(b"k%c" % kind, b"%c" % kind, b"x") for kind in b"034567DMNSVXgx9\0") + END,
        "old-tar": _raw(b"d/", b"\0", magic=bytes(8)) + _raw(b"d/f", b"\0", b"x", magic=bytes(8)) + END,
        "no-end": plain,
        "one-end-block": plain + bytes(512),
        "junk-after-end": plain + END + b"junk".ljust(512, b"\0"),
        "empty": END,
    }


def _stage():
    inputs = []
    for i, package in enumerate(case_packages()):
        data = tar_bytes(_members(package, ARCH))
        if len(data) <= MAX_BYTES:
            inputs.append((f"case-{i:03}-{package.stem_for(ARCH)}", bytes([MENDED]) + data))
    for name, members in {**_hostile_names(), **_hostile_links()}.items():
        inputs.append((f"hostile-{name}", bytes([MENDED]) + tar_bytes(members)))
    special = [device("c", "c", 1, 3), device("b", "b", 7, 0), fifo("p"), file("s", "x", 0o6755), folder("z", 0)]
    inputs.append(("hostile-special", bytes([MENDED]) + tar_bytes(special)))
    for name, data in _raw_tars().items():
        inputs.append((f"raw-{name}", bytes([AS_IT_IS]) + data))
        inputs.append((f"mended-{name}", bytes([MENDED]) + data))
    cut = tar_bytes([file("a", "x" * 600), file("b", "y")])
    inputs += [(f"cut-{at}", bytes([AS_IT_IS]) + cut[:at]) for at in range(0, len(cut), 512)]
    inputs += [(f"packed-{name}", bytes([PACKED + 3 * mode]) + data) for name, mode, data in _packed()]
    return inputs


def _into_the_root():
    """Packages for what small_root.c makes."""
    members = {
        "through-links": [file("lib/x", "x"), file("abs/passwd", "x"), file("out/passwd", "x"), file("far/file", "x")],
        "over-links": [file("passwd", "x"), file("gone", "x"), file("loop", "x"), symlink("a/up", "/etc")],
        "folders-over-links": [folder("lib"), folder("abs", 0o700), folder("out", 0o700, uid=1), folder("far", 0)],
        "folder-through-loop": [file("loop/x", "x")], "folder-through-gone": [file("gone/x", "x")],
        "upwards": [file("a/up/a/up/out/passwd", "x")], "file-over-folder": [file("usr", "x")],
        "folder-over-file": [file("f/x", "x")], "link-over-folder": [symlink("etc", "/etc")],
        "hard-links": [file("lib/x", "x"), hardlink("abs/y", "lib/x"), hardlink("f", "lib/x")],
        "controls": [file("install/doinst.sh", "true\n"), file("install/slack-desc", "a: a\n"), file("install/n", "n")],
    }
    return [(f"root-{name}", bytes([MENDED]) + tar_bytes(found)) for name, found in members.items()]


def _small_tar():
    return tar_bytes([folder("usr/share"), file("usr/share/f", "content\n"), file("install/doinst.sh", "true\n")])


def _packed():
    """(name, number of the format, bytes)"""
    small = _small_tar()
    compress = {"tgz": lambda d: gzip.compress(d, 9, mtime=0), "tbz": bz2.compress,
                "txz": lambda d: lzma.compress(d, check=lzma.CHECK_CRC64),
                "tzst": _zstd_stored}
    for number, suffix in enumerate(FORMATS):
        data = compress[suffix](small)
        yield f"whole-{suffix}", number, data
        yield f"cut-{suffix}", number, data[:len(data) * 2 // 3]
        yield f"flipped-{suffix}", number, data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + \
            data[len(data) // 2 + 1:]
        yield f"junk-{suffix}", number, data + b"junk"
        yield f"zeros-{suffix}", number, data + bytes(100)
        yield f"two-frames-{suffix}", number, compress[suffix](small[:512]) + compress[suffix](small[512:])
        yield f"bomb-{suffix}", number, compress[suffix](bytes(3 << 20))
        yield f"wrong-suffix-{suffix}", (number + 1) % 4, data
        yield f"empty-{suffix}", number, b""
        yield f"nothing-in-it-{suffix}", number, compress[suffix](b"")
    for check, name in ((lzma.CHECK_NONE, "none"), (lzma.CHECK_CRC32, "crc32"), (lzma.CHECK_SHA256, "sha256")):
        yield f"check-{name}", 2, lzma.compress(small, check=check)
    unknown_check = b"\0\x02"
    yield "check-unknown", 2, b"\xfd7zXZ\0" + unknown_check + struct.pack("<I", zlib.crc32(unknown_check)) + bytes(32)
    yield "bcj", 2, lzma.compress(small, filters=[{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 0}])
    header = io.BytesIO()
    with gzip.GzipFile("a name", "wb", 9, header, 1) as packed:
        packed.write(small)
    yield "named", 0, header.getvalue()
    for path, data in bad.bad_files(RELEASE, ARCH):
        suffix = path.rsplit(".", 1)[1]
        yield f"bad-{path.rsplit('/', 1)[1]}", FORMATS.index(suffix), data


def _zstd_stored(data):
    """A frame without checksum (RFC 8878): of raw blocks, or where all bytes are equal, of an RLE one."""
    header = struct.pack("<IBBQ", 0xFD2FB528, 0xC0, 0x38, len(data))
    blocks, limit = [], 1 << 17
    for at in range(0, max(len(data), 1), limit):
        piece = data[at:at + limit]
        last = at + limit >= len(data)
        repeated = len(piece) > 1 and piece == piece[:1] * len(piece)
        block = struct.pack("<I", last | repeated << 1 | len(piece) << 3)[:3]
        blocks.append(block + (piece[:1] if repeated else piece))
    return header + b"".join(blocks)


def _decode():
    # The first byte has two bits besides the format's: see fuzz_decode.c.
    return [(f"{name}-{mode}", bytes([number + mode]) + data) for name, number, data in _packed()
            for mode in (0, 4, 8) if len(data) <= MAX_BYTES]


PAIR = "( cd {0} ; rm -rf {2} )\n( cd {0} ; ln -sf {1} {2} )\n"
HOSTILE_SCRIPTS = {
    "etc": PAIR.format("/etc", "x", "passwd"),
    "up": PAIR.format("../..", "x", "sentinel"),
    "name-up": PAIR.format("a", "x", "../../../sentinel"),
    "name-absolute": PAIR.format("a", "x", "/etc/passwd"),
    "through-link": PAIR.format("abs", "x", "passwd") + PAIR.format("out", "x", "passwd") +
    PAIR.format("far", "x", "file"),
    "through-own-link": PAIR.format(".", "../beside", "way") + PAIR.format("way", "x", "file") +
    PAIR.format(".", "x", "way/file"),
    "link-into-link": PAIR.format(".", "../../etc/passwd", "a") + "( cd . ; ln -sf ../../tmp a )\n" * 3,
    "ln-into-folder": "( cd . ; ln -sf /etc/passwd usr )\n( cd . ; ln -sf .. etc )\n( cd . ; ln -sf / a/b )\n",
    "loop": PAIR.format("loop", "x", "y") + PAIR.format(".", "loop", "loop"),
    "remove-all": "".join(f"( cd . ; rm -rf {name} )\n" for name in ("usr", "etc", "a", "lib", "abs", "out", "far")),
    "same-file": "( cd a ; ln -sf ../f f )\n( cd . ; ln -sf f f )\n( cd a ; ln -sf f up )\n",
    "missing": PAIR.format("no/such/folder", "etc/passwd", "f"),
    "upwards": PAIR.format("a/up", "x", "f") + PAIR.format("a/b/..", "x", "f"),
    "install": PAIR.format("install", "x", "y") + PAIR.format(".", "x", "./install/doinst.sh"),
    "long": PAIR.format("a/" * 900, "x", "y") + PAIR.format("a", "x" * 3000, "n" * 300) +
    PAIR.format("a", "x", "b/" * 2050 + "c"),
    "odd": "( cd a ; ln -sf -x -y )\n",
    "nul": "( cd a ; rm -rf b )\n\0",
    "carriage-return": "( cd a ; rm -rf b )\r\n",
    "tabs": "(\tcd\ta\t;\trm\t-rf\tb\t)\n",
    "sections": "#%% begin\n#%% begin\na\n#%% end\n#%% end\nb\n#%% begin x",
    "end-first": "#%% end\n#%% begin\n",
}


def _doinst_seeds():
    inputs = [(f"hostile-{name}", script.encode()) for name, script in HOSTILE_SCRIPTS.items()]
    # What a shell would take for more than itself, in every place of a pair.
    for c in "*?[]{}()<>|&;!~#^$`\\'\"":
        for form in (f"( cd a{c} ; rm -rf b )", f"( cd a ; rm -rf b{c} )", f"( cd a ; ln -sf c{c} b )"):
            inputs.append((f"special-{len(inputs):03}", form.encode() + b"\n"))
    for i, package in enumerate(case_packages()):
        script = _doinst(package)
        if script:
            inputs.append((f"case-{i:03}-{package.stem_for(ARCH)}", script.encode()[:MAX_BYTES]))
    return inputs


def seeds():
    packages = _stage()
    return {"stage": packages, "commit": packages + _into_the_root(), "decode": _decode(), "doinst": _doinst_seeds()}
