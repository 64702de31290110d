# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was measured: the bar, a table of all contenders, a chart, and the same as JSON."""

import dataclasses
import json
import os

import contenders as c
import measure
from bench import machine
from sessions import LINK_MBIT

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the bar. `less` is better, or more."""

    name: str
    what: str
    value: float
    unit: str
    must: float
    aim: float
    less: bool = True

    def verdict(self):
        def reaches(bound):
            return self.value <= bound if self.less else self.value >= bound
        return "aim" if reaches(self.aim) else "must" if reaches(self.must) else "missed"

    def cells(self):
        sign = "≤" if self.less else "≥"
        return (self.name, self.what, f"{self.value:.2f}{self.unit}", f"{sign} {self.must:g}{self.unit}",
                f"{sign} {self.aim:g}{self.unit}", self.verdict())


def _ratio(bench, above, below):
    """The ratio of two medians, each (file system, release, contender); None where one was not measured."""
    a, b = bench.median(*above), bench.median(*below)
    return a / b if a and b else None


def _cost_of_trust(bench, release):
    """Per cent of a cold root: what its sandbox adds, and what verifying adds to its decoding."""
    ours, bare, decoded, raw = (bench.median("trust", release, contender) for contender in (
        c.OursPrepared, c.OursUnsandboxed, c.OursDecode, c.OursUnverified))
    if not (ours and bare and decoded and raw):
        return None
    added = max(0, ours - bare) + max(0, decoded - raw)
    return added / (ours - added) * 100


def bar(bench, extras):
    """The lines that were measured."""
    ours, container = c.OursPrepared, c.OursContainer
    found = []

    def add(name, what, value, unit, must, aim, less=True):
        if value is not None:
            found.append(Line(name, what, value, unit, must, aim, less))

    def ratio(name, what, above, below, must, aim, less=True):
        add(name, what, _ratio(bench, above, below), "×", must, aim, less)

    ratio("P1", "finished root ÷ parallel tar, .txz", ("tmpfs", "7.x", ours), ("tmpfs", "7.x", c.Tar), 1.10, 0.95)
    ratio("P1z", "finished root ÷ parallel bsdtar, .tzst", ("tmpfs", "8.x", ours), ("tmpfs", "8.x", c.BsdTar), 1.40,
          1.10)
    for release, aim in (("7.x", 11), ("8.x", 13)):
        ratio("P2", f"lxc-plamo ÷ container, .{'txz' if release == '7.x' else 'tzst'}", ("tmpfs", release, c.Shell),
              ("tmpfs", release, container), 9, aim, False)
    ratio("P3", "mmdebstrap extract ÷ finished root", ("tmpfs", "7.x", c.Mmdebstrap), ("tmpfs", "7.x", ours), 1.9, 2.2,
          False)
    ratio("P3", "pacman ÷ finished root", ("tmpfs", "7.x", c.Pacman), ("tmpfs", "7.x", ours), 3.1, 3.6, False)
    linked = bench.median("link", "7.x", ours)
    if linked:
        ideal = bench.work.packed_bytes("7.x") / (LINK_MBIT * 1e6 / 8)
        add("P4", f"finished root over {LINK_MBIT} Mbit/s, 50 ms ÷ (bytes ÷ bandwidth)", linked / ideal, "×", 1.15, 1.05)
    for kind, must, aim in (("tmpfs", 0.65, 0.5), ("ext4", 0.65, 0.5), ("xfs", 0.65, 0.45), ("btrfs", 0.65, 0.45)):
        ratio("P5", f"container from the cached root ÷ cp -a, {kind}", (kind, "8.x", c.OursWarm),
              (kind, "8.x", c.CopyArchive), must, aim)
    add("P5", "container from the cached root, overlay", extras.get("overlay_s"), " s", 0.10, 0.03)
    for kind, how, must, aim in (("tmpfs", "overlay", 5, 1), ("xfs", "reflink", 99, 60),
                                 ("btrfs", "snapshots", 99, 60)):
        add("bulk", f"100 containers, {how} on {kind}", extras.get("bulk", {}).get(kind), " s", must, aim)
    peaks = [s.rss_bytes for (kind, _, name), samples in bench.samples.items() for s in samples
             if name == ours.name and kind == "tmpfs"]
    if peaks:
        add("P6", "peak memory, 2 workers", max(peaks) / MIB, " MiB", 200, 100)
    for release in ("7.x", "8.x"):
        ratio("P7", f"1 core ÷ 2 cores, {release}", ("tmpfs", release, c.OursOneWorker), ("tmpfs", release, ours), 1.7,
              1.9, False)
    for release in ("7.x", "8.x"):
        add("trust", f"cost of verification and sandbox, {release}", _cost_of_trust(bench, release), " %", 10, 10)
    if "P8" in extras:
        plans = extras["P8"]["plans"]
        for field, what in (("seconds", "time"), ("rss_bytes", "memory")):
            grown = plans[-1][field] / plans[0][field] / (plans[-1]["packages"] / plans[0]["packages"])
            add("P8", f"{what} of a plan, 4 times the packages ÷ 4", grown, "×", 1.1, 1.0)
        add("P8", "folders in flight", extras["P8"]["in_flight"], "", 8, 8, False)
    if "P9" in extras:
        add("P9", "nothing to do, no mirror check", extras["P9"]["cached_s"] * 1e3, " ms", 50, 50)
        far = (extras["P9"]["checked_far_s"] - extras["P9"]["checked_s"]) / extras["P9"]["set_s"]
        add("P9", "the mirror check: waiting ÷ one set of round trips", far, "", 1, 1)
    return found


def _table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
                      *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _contenders(bench):
    rows = []
    for (kind, release, name), samples in bench.samples.items():
        times = [sample.seconds for sample in samples]
        rows.append((f"{kind}, {release}", name, f"{measure.median(samples):.2f}", f"{min(times):.2f}",
                     f"{max(times):.2f}", f"{measure.median(samples, 'cpu_s'):.2f}",
                     f"{max(s.rss_bytes for s in samples) / MIB:.0f}", str(len(times))))
    return _table(("where", "who", "median s", "min", "max", "cpu s", "peak MiB", "runs"), rows)


def _stages(extras):
    parts = []
    for release, times in extras.get("traces", {}).items():
        rows = [(key.split(" ", 1)[0], key.split(" ", 1)[1], f"{value:.3f}")
                for key, value in sorted(times.items()) if key != "whole"]
        parts.append(f"Where the time of a Plamo-{release} root went ({times['whole']:.2f} s in all), thread by thread "
                     "(`decode` is a part of `stage`):\n\n" + _table(("thread", "stage", "s"), rows))
    if "stages" in extras:
        names = ("decode", "stage", "commit", "clone")
        parts.append("Stages alone, 2 workers (commit: 1):\n\n" + _table(
            ("release", *names), [(release, *(f"{times[n]:.2f} s" for n in names))
                                  for release, times in extras["stages"].items()]))
    return "\n".join(parts)


def _head(bench):
    about = machine()
    return (f"{about['date']}, {about['cores']} cores ({about['cpu']}), {about['memory_mib'] // 1024} GiB, "
            f"{about['system']}, Linux {about['kernel']}, liblzma {about['liblzma']}. Medians of interleaved rounds; "
            f"page cache warm. The work: {bench.work.summary()}.")


def markdown(bench, extras):
    lines = bar(bench, extras)
    skipped = "".join(f"\nNot measured: {name}: {why}." for name, why in bench.skipped.items())
    return "\n".join(["# Results", "", _head(bench), "", _table(("", "what", "measured", "must", "aim", "reached"),
                                               [line.cells() for line in lines]),
                      _contenders(bench), _stages(extras), skipped])


# The chart: one bar a contender, a panel a release. Numbers of pixels.
BAR, GAP, LEFT, WIDTH, TOP = 18, 8, 330, 900, 34


def _panel(release, bars, y):
    longest = max(seconds for _, seconds in bars)
    out = [f'<text x="10" y="{y + 20}" class="t">Plamo-{release}, tmpfs: seconds, less is better</text>']
    y += TOP
    for name, seconds in bars:
        width = max(1, seconds / longest * (WIDTH - LEFT - 80))
        kind = "o" if name.startswith("plamo-fast") else "b"
        out.append(f'<text x="{LEFT - 8}" y="{y + 13}" class="n">{name}</text>'
                   f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" class="{kind}"/>'
                   f'<text x="{LEFT + width + 6:.1f}" y="{y + 13}">{seconds:.2f}</text>')
        y += BAR + GAP
    return out, y + GAP


def chart(bench):
    out, y = [], 0
    for release in ("7.x", "8.x"):
        bars = [(name, measure.median(samples)) for (kind, r, name), samples in bench.samples.items()
                if kind == "tmpfs" and r == release and "cp -a" not in name and "cached" not in name]
        if bars:
            panel, y = _panel(release, sorted(bars, key=lambda pair: pair[1]), y)
            out += panel
    about = machine()
    out.append(f'<text x="10" y="{y + 14}" class="f">{about["cores"]} cores, {about["system"]}, liblzma '
               f'{about["liblzma"]}, {about["date"]}</text>')
    style = ("text{font:13px sans-serif;fill:#222}.n{text-anchor:end}.t{font-weight:bold}.f{fill:#666}"
             ".o{fill:#2a7f62}.b{fill:#9aa5b1}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 24}" '
            f'viewBox="0 0 {WIDTH} {y + 24}"><style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
            + "\n".join(out) + "</svg>\n")


def _save(folder, name, text):
    with open(os.path.join(folder, name), "w") as stream:
        stream.write(text)


def results(bench, extras, out):
    samples = [{"place": kind, "release": release, "contender": name, "runs": [dataclasses.asdict(s) for s in found]}
               for (kind, release, name), found in bench.samples.items()]
    _save(out, "results.md", markdown(bench, extras))
    _save(out, "results.json", json.dumps({
        "machine": machine(), "work": bench.work.facts, "bar": [dataclasses.asdict(line) for line in bar(bench, extras)],
        "samples": samples, "skipped": bench.skipped, **extras}, indent=1))
    if any(kind == "tmpfs" for kind, _, _ in bench.samples):
        _save(out, "chart.svg", chart(bench))


def scale(found, out):
    _save(out, "scale.json", json.dumps({"machine": machine(), **found}, indent=1))
