"""The recipe of `cuglyph sprint` here and in PyTorch, in turn: seconds from bytes in memory to weights, and accuracy."""
import json
import os
import subprocess
import time

from contenders import HERE, PAGES_KEPT, Dropped, lines_of, reap

#           name                  variant        pages
VARIANTS = [("torch", "default", False), ("torch-pages-kept", "channels_last", True), ("torch-compile", "compile", True)]


class TorchRecipe:
    def __init__(self, name, variant, pages, o, recipe):
        env = {**os.environ, "OMP_NUM_THREADS": str(o.threads), "PYTHONDONTWRITEBYTECODE": "1", **(PAGES_KEPT if pages else {})}
        env["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(o.work, "recipe-inductor")
        argv = [o.python, os.path.join(HERE, "torch_recipe.py"), "--variant", variant, "--device", o.device, "--threads",
                str(o.threads), "--data", o.data, "--recipe", recipe]
        self.name = name
        with open(os.path.join(o.logs, f"{name}-recipe.log"), "ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def answer(self, seconds):
        got = json.loads(lines_of(self.process, seconds))
        if not got.get("ok"):
            raise Dropped(got.get("error", "no reason given"))
        return got

    def run(self, seed):
        self.process.stdin.write(f"{seed}\n".encode())
        self.process.stdin.flush()
        return self.answer(120)

    def close(self):
        self.process.kill()
        self.process.stdin.close()
        reap(self.process)
        self.process.stdout.close()


def ours(o, seed):
    file = os.path.join(o.work, "sprint.json")
    # A run before the one that counts warms up, as PyTorch's does; a process makes both.
    argv = [o.cuglyph, "sprint", "--runs", "2", "--seed", str(seed - 1), "--device", o.device, "--threads", str(o.threads),
            "--quiet", "--json", file, *o.data_options]
    got = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if got.returncode != 0:
        raise Dropped((got.stderr.strip() or "no word").splitlines()[-1])
    with open(file) as f:
        return json.load(f)["rows"][1]


def settled(seconds=2):
    """Frameworks' threads may spin for a while after their turn."""
    time.sleep(seconds)


def measure(o, wanted, note, left_out):
    """{"runs": {name: [{"seconds", "wrong", "of"}]}}; a peer that cannot is left out."""
    recipe = os.path.join(o.work, "recipe")
    text = subprocess.run([o.cuglyph, "sprint", "--print-config"], check=True, capture_output=True, text=True).stdout
    with open(recipe, "w") as f:
        f.write(text)
    peers, runs = [], {"cuglyph": []}

    def drop(p, why):
        p.close()
        left_out.append({"name": p.name, "why": f"sprint's recipe: {why}"})
        note(f"{p.name} is left out of sprint's recipe: {why}")

    for name, variant, pages in [v for v in VARIANTS if wanted(v[0])]:
        note(f"sprint's recipe: {name} gets ready")
        p = TorchRecipe(name, variant, pages, o, recipe)
        try:
            p.answer(300)
        except (Dropped, OSError, ValueError) as e:
            drop(p, e)
            continue
        peers.append(p)
        runs[name] = []
    try:
        for seed in range(1, o.rounds + 1):
            settled()
            runs["cuglyph"].append(ours(o, seed))
            for p in list(peers):
                try:
                    runs[p.name].append(p.run(seed))
                except (Dropped, OSError, ValueError) as e:
                    peers.remove(p)
                    runs.pop(p.name)
                    drop(p, e)
    finally:
        for p in peers:
            p.close()
    return {"runs": runs}
