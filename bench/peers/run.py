#!/usr/bin/env python3
"""This program and its peers, in turn, on the machine as it is: ratios with their spread (bench/peers/README.md).

Each round gives every contender one turn, in an order that rotates, while all others sleep; a ratio is taken inside a
round, so that what slows the machine down for a while slows both. The figure is the median of the rounds' ratios.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone

from contenders import BATCH, HERE, PEERS, Dropped, Ours, Peer
from recipe import measure as measure_recipe
from report import markdown, say_pair

ROOT = os.path.dirname(os.path.dirname(HERE))
# What peers must agree on, relative: the loss after the checked steps; the first logits.
AGREE = {"train": 0.03, "infer": 1e-3}


def note(text):
    print(f"bench-peers: {text}", file=sys.stderr, flush=True)


def options():
    p = argparse.ArgumentParser(prog="bench/peers/run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cuglyph", default=os.path.join(ROOT, "build/cuglyph"), help="this program")
    p.add_argument("--python", default=sys.executable, help="a Python with the peers' packages")
    p.add_argument("--onednn", help="the program of bench/peers/onednn_peer.c")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU where this program finds one")
    p.add_argument("--threads", type=int, help="of each contender (default: one a core)")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.4, help="of a peer's turn (default 0.4)")
    p.add_argument("--models", default="cnn-d,sprint,mlp")
    p.add_argument("--only", default="", help="these alone, like torch,jax (torch: all of its variants)")
    p.add_argument("--skip", default="", help="without these")
    p.add_argument("--no-cold", action="store_true", help="leave memory and cold starts out")
    p.add_argument("--no-recipe", action="store_true", help="leave the recipe of cuglyph sprint out")
    p.add_argument("--cold-limit", type=float, default=60, help="a cold start is stopped after so many seconds (default 60)")
    p.add_argument("--json", help="a file for everything measured")
    p.add_argument("--record", metavar="NAME", help="also bench/results/NAME.md and NAME.json")
    p.add_argument("--smoke", action="store_true", help="one short round, to see that it works; its figures mean nothing")
    p.add_argument("--list", action="store_true", help="print the peers' names")
    o = p.parse_args()
    if o.smoke:
        o.rounds, o.seconds, o.cold_limit = 1, 0.05, min(o.cold_limit, 60)
    unknown = [m for m in o.models.split(",") if m not in BATCH]
    if unknown:
        p.error(f"--models knows {', '.join(BATCH)}, not {unknown[0]}")
    if o.rounds < 1 or not 0 < o.seconds <= 30:
        p.error("--rounds must be 1 or more, --seconds over 0 and at most 30")
    names = [row[0] for row in PEERS] + ["onednn"]
    for word in [w for w in (o.only + "," + o.skip).split(",") if w]:
        if not any(matches(n, word) for n in names):
            p.error(f"no peer is called {word}; there are {', '.join(names)}")
    if o.list:
        print("\n".join(names))
        raise SystemExit(0)
    return o


def matches(name, word):
    return name == word or name.startswith(word + "-")


def wanted(o, name):
    listed = lambda text: any(matches(name, w) for w in text.split(",") if w)
    return (not o.only or listed(o.only)) and not listed(o.skip)


def settle(o):
    """Threads, device, data: the same for all."""
    cores = sorted(os.sched_getaffinity(0))
    o.threads = o.threads or len(cores)
    if o.threads < len(cores):
        os.sched_setaffinity(0, cores[: o.threads])  # inherited by all: some frameworks count cores instead of asking
    got = subprocess.run([o.cuglyph, "info", "--device"], capture_output=True, text=True)
    gpu = got.returncode == 0 and "cuda:0" in got.stdout
    if o.device == "auto":
        o.device = "cuda" if gpu else "cpu"
    got = subprocess.run([os.path.join(ROOT, "data/obtain"), o.cuglyph], capture_output=True, text=True)
    if got.returncode != 0:
        raise SystemExit(f"bench-peers: no data: {(got.stderr.strip() or 'data/obtain failed').splitlines()[-1]}")
    o.data_options = got.stdout.split()
    info = subprocess.run([o.cuglyph, "data", "info", *o.data_options], capture_output=True, text=True).stdout
    o.data = next(line.split(None, 1)[1] for line in info.splitlines() if line.startswith("from "))


def cpu_name():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())


class Session:
    def __init__(self, o):
        self.o, self.left_out, self.busy, self.results = o, [], {}, []
        self.contenders = [Ours(o, steps=False), Ours(o, steps=True)]
        for row in PEERS:
            if not wanted(o, row[0]):
                continue
            if o.device in row[4].split():
                self.contenders.append(Peer(row, o))

    def drop(self, c, why):
        c.close()
        self.contenders = [k for k in self.contenders if k is not c]
        self.left_out.append({"name": c.name, "why": why})
        note(f"{c.name} is left out: {why}")

    def prepare(self, kind, model):
        """Those that are ready, all of them agreeing."""
        ready, checks = [], {}
        for c in [k for k in self.contenders if k.can(kind, model)]:
            note(f"{kind} {model}: {c.name} gets ready")
            try:
                got = c.prepare(kind, model)
            except (Dropped, OSError, ValueError) as e:
                self.drop(c, f"{kind} {model}: {e}")
                continue
            ready.append(c)
            if "check" in got:
                checks[c.name] = got["check"]
        middle = statistics.median(checks.values()) if checks else 0
        for c in [k for k in ready if k.name in checks]:
            if not abs(checks[c.name] - middle) <= AGREE[kind] * abs(middle):
                what = "loss" if kind == "train" else "mean logit"
                self.drop(c, f"{kind} {model}: {what} {checks[c.name]:.6g}, where the peers' median is {middle:.6g}")
                ready.remove(c)
        return ready, checks

    def turn(self, c, kind, model):
        others = [k for k in self.contenders if k is not c and k.cpu_seconds() > 0]
        before, began = {k: k.cpu_seconds() for k in others}, time.monotonic()
        rate = c.turn(kind, model)
        took = time.monotonic() - began
        for k in others:
            share = (k.cpu_seconds() - before[k] - 0.011) / took  # a tick of the processes' clock is 0.01 s
            self.busy[k.name] = max(self.busy.get(k.name, 0), share)
        return rate

    def measure(self, kind, model):
        ready, checks = self.prepare(kind, model)
        rates = {c.name: [] for c in ready}
        for r in range(self.o.rounds):
            k = r % max(1, len(ready))
            for c in ready[k:] + ready[:k]:
                if c not in self.contenders:
                    continue
                try:
                    rates[c.name].append(self.turn(c, kind, model))
                except (Dropped, OSError) as e:
                    self.drop(c, f"{kind} {model}: {e}")
                    rates.pop(c.name)
        pair = {"kind": kind, "model": model, "batch": BATCH[model], "images_per_s": rates, "checks": checks}
        self.results.append(pair)
        print(say_pair(pair, self.o.device), flush=True)

    def cold(self):
        rows = []
        for c in [k for k in self.contenders if k.can("train", "cnn-d") and not (isinstance(k, Ours) and k.steps)]:
            times = self.o.rounds if isinstance(c, Ours) else 1
            note(f"cold start: {c.name}")
            try:
                got = [c.cold("cnn-d", self.o.cold_limit) for _ in range(times)]
            except Dropped as e:
                note(f"{c.name} is left out of the cold starts: {e}")
                continue
            known = [s for s, _ in got if s is not None]
            rows.append({"name": c.name, "seconds": statistics.median(known) if known else None,
                         "limit": self.o.cold_limit, "starts": times, "peak_bytes": max(p for _, p in got)})
        return rows

    def close(self):
        for c in self.contenders:
            c.close()


def kernels(o):
    """oneDNN's convolutions and matrix products beside ours, op by op; seconds of each round."""
    rows = {}
    for _ in range(min(o.rounds, 3)):
        file = os.path.join(o.work, "kernels.json")
        for op in ("conv2d", "conv_block", "linear"):
            subprocess.run([o.cuglyph, "bench", "kernels", "--op", op, "--source", "models", "--device", "cpu", "--threads",
                            str(o.threads), "--min-time", "0.05", "--max-time", "0.05", "--samples", "3", "--no-check", "--json",
                            file], check=True, capture_output=True)
            with open(file) as f:
                for r in json.load(f)["rows"]:
                    if r["precision"] == "fp32":
                        rows.setdefault((r["name"], r["pass"]), {}).setdefault(op, []).append(r["seconds"])
        got = subprocess.run([o.onednn, "0.05"], check=True, capture_output=True, text=True,
                             env={**os.environ, "OMP_NUM_THREADS": str(o.threads)})
        for line in got.stdout.splitlines():
            r = json.loads(line)
            rows.setdefault((r["name"], r["pass"]), {}).setdefault("onednn", []).append(r["seconds"])
    return [{"name": k[0], "pass": k[1], **v} for k, v in rows.items() if "onednn" in v]


def main():
    o = options()
    began = time.monotonic()
    o.work = tempfile.mkdtemp(prefix="bench-peers-")
    o.logs = os.path.join(o.work, "logs")
    os.mkdir(o.logs)
    session = None
    try:
        settle(o)
        load = os.getloadavg()[0]
        if load > 0.5:
            note(f"others are at work on this machine (load {load:.1f}): ratios will scatter")
        version = subprocess.run([o.cuglyph, "--version"], capture_output=True, text=True).stdout.strip()
        report = {"date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "ours": version, "cpu": cpu_name(),
                  "cores": os.cpu_count(), "threads": o.threads, "os": f"{platform.system()} {platform.release()}",
                  "load": load, "device": o.device, "rounds": o.rounds, "seconds": o.seconds, "smoke": o.smoke,
                  "command": "bench/peers/run.py " + " ".join(sys.argv[1:])}
        session = Session(o)
        for model in o.models.split(","):
            for kind in ("train", "infer"):
                session.measure(kind, model)
        report["peers"] = {c.name: {"version": c.version, "device": c.device} for c in session.contenders if isinstance(c, Peer)}
        for c in session.contenders:
            c.close()
        report["results"] = session.results
        report["cold"] = [] if o.no_cold or "cnn-d" not in o.models.split(",") else session.cold()
        report["recipe"] = None
        if not o.no_recipe:
            try:
                report["recipe"] = measure_recipe(o, lambda name: wanted(o, name), note, session.left_out)
            except (Dropped, subprocess.CalledProcessError, OSError) as e:
                session.left_out.append({"name": "sprint's recipe", "why": str(e).splitlines()[0]})
        report["kernels"] = []
        if o.onednn and o.device == "cpu" and wanted(o, "onednn"):
            try:
                report["kernels"] = kernels(o)
            except (subprocess.CalledProcessError, OSError, ValueError) as e:
                session.left_out.append({"name": "onednn", "why": str(e).splitlines()[0]})
        report["left_out"] = session.left_out
        report["awake"] = {n: s for n, s in session.busy.items() if s > 0.05}
        report["took_seconds"] = time.monotonic() - began
        text = markdown(report)
        print("\n" + text)
        if o.json:
            write(o.json, json.dumps(report, indent=1) + "\n")
        if o.record:
            base = os.path.join(ROOT, "bench/results", o.record)
            write(base + ".md", text)
            write(base + ".json", json.dumps(report, indent=1) + "\n")
        measured = {n for p in session.results for n in p["images_per_s"]}
        return 0 if "cuglyph" in measured and measured - {"cuglyph", "cuglyph, steps alone"} else 1
    finally:
        if session:
            session.close()
        shutil.rmtree(o.work, ignore_errors=True)


def write(path, text):
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.replace(path + ".tmp", path)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench-peers: stopped")
