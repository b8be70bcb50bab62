"""The tables: contenders of one model, memory and cold starts, kernels; the goals beside the figures."""
import statistics

# On a CPU, training end to end (`cuglyph train`) and inference against the best peer of the same run.
GOAL = {("train", "cnn-d"): 4, ("train", "sprint"): 4, ("train", "mlp"): 2,
        ("infer", "cnn-d"): 1.25, ("infer", "sprint"): 2, ("infer", "mlp"): 1.1}
# Inference is held against ONNX Runtime, training against whoever was fastest.
HELD_AGAINST = {"infer": "onnxruntime"}
PEAK_MB, COLD_S = 150, 4
RECIPE = 5  # times as fast as the same recipe in PyTorch
OURS = {"train": "cuglyph", "infer": "cuglyph, steps alone"}


def ratios(pair, name):
    ours = pair["images_per_s"].get(OURS[pair["kind"]], [])
    return sorted(a / b for a, b in zip(ours, pair["images_per_s"][name]))


def verdict(met):
    return "met" if met else "missed"


def say_pair(pair, device):
    kind, rates = pair["kind"], pair["images_per_s"]
    ours = OURS[kind]
    rounds = max((len(v) for v in rates.values()), default=0)
    what = "training" if kind == "train" else "inference"
    out = [f"\n### {pair['model']}, {what}, batch {pair['batch']}\n",
           f"| contender | images/s, median | ours / theirs, median (min - max of {rounds} rounds) |", "|---|---|---|"]
    order = sorted(rates, key=lambda n: -statistics.median(rates[n]))
    for name in order:
        r = ratios(pair, name)
        mine = name == ours or not r or name.startswith("cuglyph")
        ratio = "" if mine else f"{statistics.median(r):.2f} ({r[0]:.2f} - {r[-1]:.2f})"
        out.append(f"| {name} | {statistics.median(rates[name]):,.0f} | {ratio} |")
    peers = [n for n in order if not n.startswith("cuglyph")]
    if not peers or ours not in rates:
        return "\n".join(out + ["\nNothing to compare: no peer, or not this program, was measured."])
    best = peers[0]
    against = HELD_AGAINST.get(kind, best)
    out.append("")
    for name in dict.fromkeys([best, against]):
        if name not in peers:
            out.append(f"Against {name}: not measured in this run.")
            continue
        r = ratios(pair, name)
        text = f"Against {name}{' (the best peer)' if name == best else ''}: {statistics.median(r):.2f} times"
        goal = GOAL.get((kind, pair["model"]))
        if name == against and goal and device == "cpu":
            text += f"; goal at least {goal:g}: {verdict(statistics.median(r) >= goal)}"
        out.append(text + ".")
    return "\n".join(out)


def say_cold(rows, device):
    out = ["\n### Memory and cold start: cnn-d, one epoch of MNIST, from process start to the end of the epoch\n",
           "| contender | peak resident memory, MB | seconds | starts |", "|---|---|---|---|"]
    for r in rows:
        s = f"{r['seconds']:.1f}" if r["seconds"] is not None else f"over {r['limit']:.0f} (stopped)"
        out.append(f"| {r['name']} | {r['peak_bytes'] / 1e6:,.0f} | {s} | {r['starts']} |")
    mine = next((r for r in rows if r["name"] == "cuglyph"), None)
    if mine and mine["seconds"] is not None and device == "cpu":
        out.append(f"\nOurs: {mine['peak_bytes'] / 1e6:.0f} MB, goal under {PEAK_MB}: {verdict(mine['peak_bytes'] < PEAK_MB * 1e6)}; "
                   f"{mine['seconds']:.1f} s, goal under {COLD_S}: {verdict(mine['seconds'] < COLD_S)}.")
    return "\n".join(out)


def say_recipe(runs, device):
    out = ["\n### The recipe of `cuglyph sprint`: from bytes in memory to the last step's weights\n",
           "PyTorch's time to compile is not counted.\n",
           "| contender | seconds, median | test accuracy, mean | theirs / ours, median (min - max of "
           f"{len(runs['cuglyph'])} seeds) |", "|---|---|---|---|"]
    mine, best = [r["seconds"] for r in runs["cuglyph"]], None
    for name, rows in sorted(runs.items(), key=lambda k: statistics.median(r["seconds"] for r in k[1])):
        times = [r["seconds"] for r in rows]
        right = statistics.mean(100 - 100 * r["wrong"] / r["of"] for r in rows)
        ratio = sorted(b / a for a, b in zip(mine, times))
        text = f"{statistics.median(ratio):.2f} ({ratio[0]:.2f} - {ratio[-1]:.2f})" if name != "cuglyph" else ""
        out.append(f"| {name} | {statistics.median(times):.3f} | {right:.2f} % | {text} |")
        if name != "cuglyph" and best is None:
            best = name, statistics.median(ratio)
    if best:
        goal = f"; goal at least {RECIPE}: {verdict(best[1] >= RECIPE)}" if device == "cpu" else ""
        out.append(f"\nAgainst {best[0]} (the best): {best[1]:.2f} times{goal}.")
    return "\n".join(out)


def say_kernels(rows):
    out = ["\n### Kernels: oneDNN, blocked layouts of its choice, microseconds (median)\n",
           "conv2d and linear do oneDNN's work; conv_block is what training runs: with ReLU and pooling, whose zeros its "
           "backward pass skips.\n",
           "| op | oneDNN | conv2d or linear | conv_block | oneDNN / ours (min - max) |", "|---|---|---|---|---|"]
    for r in rows:
        same = r.get("conv2d") or r.get("linear")
        mid = lambda v: f"{statistics.median(v) * 1e6:,.0f}" if v else ""
        ratio = sorted(a / b for a, b in zip(r["onednn"], same)) if same else []
        text = f"{statistics.median(ratio):.2f} ({ratio[0]:.2f} - {ratio[-1]:.2f})" if ratio else ""
        out.append(f"| {r['name']} {r['pass']} | {mid(r['onednn'])} | {mid(same)} | {mid(r.get('conv_block'))} | {text} |")
    return "\n".join(out)


def markdown(r):
    out = [f"# This program and its peers: {r['device']}, {r['cpu']}, {r['cores']} cores, {r['threads']} threads\n",
           f"{r['ours']}; {r['date']}; {r['os']}; load before the start {r['load']:.1f}; {r['rounds']} rounds, "
           f"{r['seconds']:g} s a turn; {r['took_seconds'] / 60:.1f} minutes in all.\n", f"    {r['command'].strip()}\n"]
    if r["smoke"]:
        out.append("**A smoke run: these figures mean nothing.**\n")
    elif r["load"] > 0.5:
        out.append("Others were at work on this machine.\n")
    out += [f"- {n}: {p['version']} on {p['device']}" for n, p in r["peers"].items() if p["version"]]
    out += [f"- left out: {p['name']}: {p['why']}" for p in r["left_out"]]
    out += [f"- awake while others were measured: {n}, up to {s:.0%} of a core" for n, s in r["awake"].items()]
    out.append("\nOurs in training is `cuglyph train` from end to end, with its loader; peers repeat steps over batches in memory.")
    out += [say_pair(p, r["device"]) for p in r["results"]]
    if r["cold"]:
        out.append(say_cold(r["cold"], r["device"]))
    if r["recipe"]:
        out.append(say_recipe(r["recipe"]["runs"], r["device"]))
    if r["kernels"]:
        out.append(say_kernels(r["kernels"]))
    return "\n".join(out) + "\n"
