# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which contenders meet on which file system for which line of the bar."""

import json
import os
import subprocess

import contenders as c
import measure
import places
import scale
import serve
from bench import note, session
from work import ALL_CATEGORIES

ALL = ("P1", "P1z", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "ext4", "stages", "trust", "bulk")
SMOKE = ("P1", "P1z", "P2", "P5", "P9", "stages", "trust")
LINK_MBIT, LINK_ROUND_TRIP_MS = 100, 50
CONNECTIONS = 8     # plamo-fast's default


def _tar_of(release):
    return c.Tar if release == "7.x" else c.BsdTar


def _roots(bench, wanted, release):
    """P1, P1z, P2, P3, P6, P7: from nothing to a finished root, and to a container."""
    p1 = "P1" if release == "7.x" else "P1z"
    chosen = [(c.OursPrepared, {p1, "P3", "P6", "P7"}), (_tar_of(release), {p1}), (c.OursOneWorker, {"P7"}),
              (c.Decode, {p1})]
    if release == "7.x":
        chosen += [(c.Mmdebstrap, {"P3"}), (c.Pacman, {"P3"})]
    chosen += [(c.OursContainer, {"P2"}), (c.Shell, {"P2"})]
    classes = [cls for cls, lines in chosen if lines & set(wanted)]
    if not classes:
        return
    note(f"Plamo-{release}, cold")
    with places.place(bench.tmpfs, "tmpfs") as folder:
        made = {cls: cls(bench, folder, release) for cls in classes}
        ours = made.get(c.OursPrepared)
        checks = [("holds", made[cls], ours) for cls in (c.Tar, c.BsdTar, c.Mmdebstrap, c.Pacman)
                  if cls in made and ours]
        if ours and c.OursOneWorker in made:
            checks.append(("same", made[c.OursOneWorker], ours))
        if c.Shell in made and c.OursContainer in made:
            checks.append(("same", made[c.Shell], made[c.OursContainer]))
        session(bench, "tmpfs", list(made.values()), checks)


def _trust(bench):
    """What verifying and the sandbox cost: each against the same without it."""
    for release in ("7.x", "8.x"):
        note(f"Plamo-{release}, with and without verification and sandbox")
        with places.place(bench.tmpfs, "tmpfs") as folder:
            session(bench, "trust", [cls(bench, folder, release) for cls in (
                c.OursPrepared, c.OursUnsandboxed, c.OursDecode, c.OursUnverified)])


def _on_ext4(bench):
    for release in ("7.x", "8.x"):
        note(f"Plamo-{release}, cold, on ext4")
        with places.place(bench.tmpfs, "ext4") as folder:
            session(bench, "ext4", [cls(bench, folder, release) for cls in (c.OursPrepared, _tar_of(release))])


def _clones(bench, kinds):
    """P5."""
    for kind in kinds:
        reason = places.why_not(kind)
        if reason:
            note(f"clone on {kind}: skipped: {reason}")
            bench.skipped[f"clone on {kind}"] = reason
            continue
        note(f"a container from the cached root, on {kind}")
        with places.place(bench.tmpfs, kind) as folder:
            warm = c.OursWarm(bench, folder, "8.x")
            copy = c.CopyArchive(bench, folder, "8.x", warm)
            copy.reflink = kind in ("xfs", "btrfs")
            session(bench, kind, [warm, copy])


def _create(bench, folder, backing, path, names):
    """Seconds for containers of the cached root, which the first call makes."""
    path = os.path.join(folder, path)
    os.makedirs(path)
    os.sync()
    return measure.timed(
        [bench.program("plamo-fast"), "create", names, "--lxcpath", path, "--backing", backing, "--release", "8.x",
         "--mirror", serve.mirror_url(bench.server.address), "--cache", os.path.join(folder, "cache"),
         "--categories", " ".join(ALL_CATEGORIES), "-q"], c.environment()).seconds


def _bulk(bench):
    """A hundred containers of the warm cache: on overlays, and sharing extents."""
    found = {}
    for kind, backing in (("tmpfs", "overlay"), ("xfs", "dir"), ("btrfs", "dir")):
        reason = places.why_not(kind)
        if reason:
            note(f"100 containers on {kind}: skipped: {reason}")
            bench.skipped[f"100 containers on {kind}"] = reason
            continue
        with places.place(bench.tmpfs, kind) as folder:
            _create(bench, folder, backing, "first", "first")
            found[kind] = _create(bench, folder, backing, "many", "c{001..100}")
        note(f"100 containers on {kind}, {backing}: {found[kind]:.2f} s")
    return found


def _overlay(bench):
    """P5 on an overlay: how much longer eleven containers take than one, for what is made once is no part of each."""
    with places.place(bench.tmpfs, "tmpfs") as folder:
        _create(bench, folder, "overlay", "first", "first")
        one = sorted(_create(bench, folder, "overlay", f"one{i}", "a") for i in range(5))[2]
        eleven = sorted(_create(bench, folder, "overlay", f"many{i}", "c{1..11}") for i in range(5))[2]
    note(f"a container on an overlay: {(eleven - one) / 10 * 1e3:.1f} ms")
    return (eleven - one) / 10


def _network(bench):
    """P4."""
    link = serve.relayed(bench.server, LINK_MBIT, LINK_ROUND_TRIP_MS)
    with places.place(bench.tmpfs, "tmpfs") as folder, link as address:
        note(f"Plamo-7.x, cold, {LINK_MBIT} Mbit/s, {LINK_ROUND_TRIP_MS} ms round trip")
        ours = c.OursPrepared(bench, folder, "7.x")
        pacman, shell = c.Pacman(bench, folder, "7.x"), c.Shell(bench, folder, "7.x")
        for contender in (ours, pacman, shell):
            contender.address = address
        session(bench, "link", [ours])
        if bench.rounds > 1:
            session(bench, "link", [pacman, shell], rounds=1)


def _seconds(bench, *arguments):
    """What bench-stages says; the process around it is not part of it."""
    done = subprocess.run([bench.program("bench-stages"), *arguments], env=c.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise measure.Failed(f"bench-stages {arguments[0]}: {done.stderr.strip()[-500:]}")
    return float(done.stdout)


def _nothing_to_do(bench):
    """P9: until a clone could start; without asking the mirror, and with it through the slow link."""
    with places.place(bench.tmpfs, "tmpfs") as folder:
        cache = os.path.join(folder, "cache")
        options = ["prepare", "--release", "8.x", "--cache", cache, "--categories", " ".join(ALL_CATEGORIES)]
        here = [*options, "--mirror", serve.mirror_url(bench.server.address)]
        _seconds(bench, *here)
        found = {"cached_s": sorted(_seconds(bench, *here) for _ in range(9))[4],
                 "checked_s": sorted(_seconds(bench, *here, "--update") for _ in range(5))[2]}
        with serve.relayed(bench.server, 10_000, LINK_ROUND_TRIP_MS) as address:
            far = [*options, "--mirror", serve.mirror_url(address)]
            found["checked_far_s"] = sorted(_seconds(bench, *far, "--update") for _ in range(3))[1]
    # One set: a connection, the folders' pages, and each file asked for once, as many at a time as connections.
    files = len(bench.work.packages("8.x"))
    found["set_s"] = (2 + -(-files // CONNECTIONS)) * LINK_ROUND_TRIP_MS / 1e3
    note(f"nothing to do: {found['cached_s'] * 1e3:.1f} ms; with mirror check {found['checked_s'] * 1e3:.0f} ms, "
         f"{found['checked_far_s'] * 1e3:.0f} ms over {LINK_ROUND_TRIP_MS} ms")
    return found


def _stages_alone(bench):
    """Each stage by itself, 2 workers where it can use them."""
    found = {}
    for release in ("7.x", "8.x"):
        flat = bench.flat(release)
        files = sorted(os.path.join(flat, name) for name in os.listdir(flat))
        with places.place(bench.tmpfs, "tmpfs") as folder:
            for name in ("staged", "committed", "cloned"):
                os.mkdir(os.path.join(folder, name))
            found[release] = {
                "decode": _seconds(bench, "decode", "2", *files),
                "stage": _seconds(bench, "stage", "2", os.path.join(folder, "staged"), *files),
                "commit": _seconds(bench, "commit", os.path.join(folder, "committed"), *files),
                "clone": _seconds(bench, "clone", "2", os.path.join(folder, "committed", "root"),
                                  os.path.join(folder, "cloned")),
            }
        note(f"stages of Plamo-{release} alone: " + ", ".join(f"{k} {v:.2f} s" for k, v in found[release].items()))
    return found


def _trace(bench, release, out):
    """One more run, with the engine's own events: thread → stage → seconds."""
    with places.place(bench.tmpfs, "tmpfs") as folder:
        traced = c.OursTraced(bench, folder, release)
        traced.prepare()
        measure.timed(traced.command(), traced.environment(), traced.cwd())
        with open(os.path.join(traced.folder, "trace.json")) as stream:
            events = json.load(stream)
    if out:
        with open(os.path.join(out, f"trace-{release}.json"), "w") as stream:
            json.dump(events, stream)
    found = {}
    for event in events:
        key = f"{event['tid']} {event['name']}"
        found[key] = found.get(key, 0) + event["dur"] / 1e6
    start = min(e["ts"] for e in events)
    found["whole"] = max(e["ts"] + e["dur"] for e in events) / 1e6 - start / 1e6
    note(f"where the time of Plamo-{release} went: " +
         ", ".join(f"{key} {value:.3f} s" for key, value in sorted(found.items())))
    return found


def parts(bench, wanted, out, extras):
    """Measures, and yields after each part; what is no contender's time goes into extras."""
    wanted = set(wanted)
    smoke = bench.rounds == 1 and bench.work.folder.endswith("small")
    for release in ("7.x", "8.x"):
        _roots(bench, wanted, release)
        yield
    if "stages" in wanted:
        extras["traces"] = {release: _trace(bench, release, out) for release in ("7.x", "8.x")}
        extras["stages"] = _stages_alone(bench)
        yield
    if "P5" in wanted:
        _clones(bench, ("tmpfs",) if smoke else ("tmpfs", "ext4", "xfs", "btrfs"))
        extras["overlay_s"] = None if smoke else _overlay(bench)
        yield
    if "P9" in wanted:
        extras["P9"] = _nothing_to_do(bench)
        yield
    if "P8" in wanted:
        extras["P8"] = scale.many_packages(bench.bin_folder, bench.tmpfs)
        yield
    if "trust" in wanted:
        _trust(bench)
        yield
    if "P4" in wanted:
        _network(bench)
        yield
    if "bulk" in wanted:
        extras["bulk"] = _bulk(bench)
        yield
    if "ext4" in wanted:
        _on_ext4(bench)
        yield
