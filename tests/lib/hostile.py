"""Tar archives byte by byte, for what no tar program would write."""

import netkit  # noqa: F401 (makes fixtures importable)

from tarball import DEFAULT_MTIME

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR, GNU, V7 = b"ustar\00000", b"ustar  \0", bytes(8)

# POSIX.1-2017, pax, "ustar Interchange Format": field → (offset, length).
FIELDS = {"name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12),
          "checksum": (148, 8), "type": (156, 1), "link": (157, 100), "magic": (257, 8), "uname": (265, 32),
          "gname": (297, 32), "major": (329, 8), "minor": (337, 8), "prefix": (345, 155),
          # GNU tar's own, in the place of the prefix: a file with holes.
          "sparse": (386, 96), "extended": (482, 1), "realsize": (483, 12)}


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def base256(value, width):
    """GNU tar's binary numbers: two's complement, the top bit set to tell them from octal ones."""
    number = (value % (1 << (8 * width))).to_bytes(width, "big")
    return bytes([number[0] | 0x80]) + number[1:]


def header(name, size=0, kind=b"0", link="", magic=USTAR, **fields):
    """One header block. Any field of FIELDS can be given as raw bytes; the checksum is made to fit, unless given."""
    values = {"name": as_bytes(name), "mode": octal(0o644, 8), "uid": octal(0, 8), "gid": octal(0, 8),
              "size": size if isinstance(size, bytes) else octal(size, 12), "mtime": octal(DEFAULT_MTIME, 12),
              "checksum": b" " * 8, "type": kind, "link": as_bytes(link), "magic": magic}
    values.update(fields)
    block = bytearray(BLOCK)
    for field, value in values.items():
        offset, length = FIELDS[field]
        assert len(value) <= length, f"{field} is too long"
        block[offset:offset + len(value)] = value
    if "checksum" not in fields:
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def file(name, data=b"", **more):
    data = as_bytes(data)
    return header(name, len(data), **more) + padded(data)


def folder(name, **more):
    return header(name.rstrip("/") + "/", kind=b"5", **{"mode": octal(0o755, 8), **more})


def symlink(name, target, **more):
    return header(name, kind=b"2", link=target, **more)


def hardlink(name, target, **more):
    return header(name, kind=b"1", link=target, **more)


def pax_record(key, value):
    """"LENGTH KEY=VALUE\\n", where LENGTH counts itself."""
    rest = b" " + as_bytes(key) + b"=" + as_bytes(value) + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def pax(*records, kind=b"x", **more):
    """An extended header with records (key, value) or raw bytes, for the member that follows."""
    body = b"".join(r if isinstance(r, bytes) else pax_record(*r) for r in records)
    return header("PaxHeaders/x", len(body), kind=kind, **more) + padded(body)


def gnu_long(kind, text, **more):
    """GNU tar's header of a long name (kind b"L") or link target (b"K"), for the member that follows."""
    body = as_bytes(text) + b"\0"
    return header("././@LongLink", len(body), kind=kind, magic=GNU, **more) + padded(body)


def sparse_map(pairs, count):
    """Old GNU: `count` places for (offset, length), octal."""
    return b"".join(octal(offset, 12) + octal(length, 12) for offset, length in pairs).ljust(24 * count, b"\0")


def old_sparse(name, pairs, realsize, data=b"", **more):
    """Old GNU format: the map in the header, and in blocks behind it where it is longer."""
    first, rest = pairs[:4], pairs[4:]
    blocks = header(name, len(data), kind=b"S", magic=GNU, sparse=sparse_map(first, 4), realsize=octal(realsize, 12),
                    extended=b"\1" if rest else b"\0", **more)
    while rest:
        now, rest = rest[:21], rest[21:]
        blocks += sparse_map(now, 21) + (b"\1" if rest else b"\0") + bytes(7)
    return blocks + padded(data)


def sparse_00(name, pairs, realsize, data=b""):
    """PAX sparse format 0.0: a record for each offset and each length."""
    records = [("GNU.sparse.size", str(realsize)), ("GNU.sparse.numblocks", str(len(pairs)))]
    for offset, length in pairs:
        records += [("GNU.sparse.offset", str(offset)), ("GNU.sparse.numbytes", str(length))]
    return pax(*records) + file(name, data)


def sparse_01(name, pairs, realsize, data=b""):
    """PAX sparse format 0.1: one record with the whole map."""
    numbers = ",".join(str(n) for pair in pairs for n in pair)
    return pax(("GNU.sparse.size", str(realsize)), ("GNU.sparse.numblocks", str(len(pairs))),
               ("GNU.sparse.name", name), ("GNU.sparse.map", numbers)) + file("GNUSparseFile.0/x", data)


def sparse_10(name, pairs, realsize, data=b"", count=None):
    """PAX sparse format 1.0: the map stands in front of the data."""
    numbers = [len(pairs) if count is None else count, *(n for pair in pairs for n in pair)]
    text = "".join(f"{n}\n" for n in numbers).encode()
    return pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", name),
               ("GNU.sparse.realsize", str(realsize))) + file("GNUSparseFile.0/x", padded(text) + data)
