"""Who takes part: this program, started anew for each turn, and the peers, each a process that sleeps between its turns."""
import json
import os
import re
import select
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = {"cnn-d": 128, "sprint": 256, "mlp": 128}
# glibc gives large blocks back to the kernel after each step and takes them again, a page fault at a time. A setting
# that keeps them helps PyTorch much and harms nobody: with PyTorch both are shown, the others have it.
PAGES_KEPT = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296"}

#        name                   file           variant          pages   devices       models without it
PEERS = [
    ("torch", "torch_peer.py", "default", False, "cpu cuda", ""),
    ("torch-channels-last", "torch_peer.py", "channels_last", False, "cpu cuda", "mlp"),
    ("torch-pages-kept", "torch_peer.py", "channels_last", True, "cpu", ""),
    ("torch-compile", "torch_peer.py", "compile", True, "cpu cuda", ""),
    ("torch-graphs", "torch_peer.py", "graphs", True, "cuda", ""),
    ("jax", "jax_peer.py", "default", True, "cpu cuda", ""),
    ("keras", "keras_peer.py", "default", True, "cpu cuda", ""),
    ("keras-xla", "keras_peer.py", "xla", True, "cpu cuda", ""),
    ("tinygrad", "tinygrad_peer.py", "default", True, "cpu cuda", ""),
    ("onnxruntime", "onnx_peer.py", "default", True, "cpu cuda", ""),
]


class Dropped(Exception):
    """A contender cannot go on; the text is one line."""


def lines_of(process, seconds):
    """The next line of the process's output, within so many seconds."""
    end = time.monotonic() + seconds
    data = b""
    while not data.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise Dropped(f"no answer within {seconds:.0f} s")
        part = os.read(process.stdout.fileno(), 65536)
        if not part:
            raise Dropped("it ended")
        data += part
    return data.decode(errors="replace")


def reap(process):
    """Ends it if need be; its peak resident memory in bytes. Only once a process."""
    if process.returncode is None:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_maxrss * 1024
    return None


class Peer:
    def __init__(self, row, run):
        self.name, file, self.variant, pages, self.devices, self.without = row
        self.run_options, self.process, self.version, self.device = run, None, None, None
        self.argv = [run.python, os.path.join(HERE, file), "--variant", self.variant, "--device", run.device,
                     "--threads", str(run.threads), "--data", run.data]
        self.env = {**os.environ, "OMP_NUM_THREADS": str(run.threads), "PYTHONDONTWRITEBYTECODE": "1",
                    **(PAGES_KEPT if pages else {})}
        if run.device == "cpu":
            self.env["CUDA_VISIBLE_DEVICES"] = ""
        self.log = os.path.join(run.logs, f"{self.name}.log")

    def can(self, kind, model):
        return model not in self.without.split() and (kind == "infer" or self.name != "onnxruntime")

    def start(self, cache, extra=()):
        env = {**self.env, "XDG_CACHE_HOME": cache, "TORCHINDUCTOR_CACHE_DIR": os.path.join(cache, "inductor")}
        with open(self.log, "ab") as log:
            return subprocess.Popen([*self.argv, *extra], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def why(self, said):
        """What its log says last, for a process that ended without an answer."""
        with open(self.log, errors="replace") as log:
            last = [line.strip() for line in log if line.strip()][-1:]
        return f"{said}: {last[0][:160]}" if said == "it ended" and last else said

    def answer(self, process, seconds):
        try:
            got = json.loads(lines_of(process, seconds))
        except Dropped as e:
            raise Dropped(self.why(str(e))) from None
        if not got.get("ok"):
            raise Dropped(got.get("error", "no reason given"))
        return got

    def ask(self, order, seconds):
        if not self.process:
            self.process = self.start(os.path.join(self.run_options.work, self.name))
            hello = self.answer(self.process, 120)
            self.version, self.device = hello["version"], hello["device"]
        self.process.stdin.write(order.encode() + b"\n")
        self.process.stdin.flush()
        return self.answer(self.process, seconds)

    def prepare(self, kind, model):
        return self.ask(f"prepare {kind} {model}", 240)

    def turn(self, kind, model):
        return self.ask(f"run {kind} {model} {self.run_options.seconds}", 60)["images_per_s"]

    def cpu_seconds(self):
        """Processor time it has used until now."""
        if not self.process:
            return 0.0
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        if self.process:
            self.process.kill()
            self.process.stdin.close()
            reap(self.process)
            self.process.stdout.close()
            self.process = None

    def cold(self, model, limit):
        """(seconds from start to the end of an epoch or None when stopped at the limit, peak resident bytes)."""
        cache = os.path.join(self.run_options.work, f"{self.name}-cold")
        began = time.monotonic()
        process = self.start(cache, ("--cold", model))
        try:
            self.answer(process, limit)
            took = time.monotonic() - began
        except Dropped as e:
            if not str(e).startswith("no answer"):
                raise
            took = None
        finally:
            process.kill()
            process.stdin.close()
            peak = reap(process)
            process.stdout.close()
        return took, peak


class Ours:
    """`cuglyph train` from end to end, its loader and all, or `cuglyph bench`, steps alone as the peers' are."""

    def __init__(self, run, steps):
        self.run_options, self.steps, self.device = run, steps, None
        self.name = "cuglyph, steps alone" if steps else "cuglyph"
        self.folder = os.path.join(run.work, "run")

    def can(self, kind, model):
        return kind == "train" or self.steps

    def prepare(self, kind, model):
        return {}

    def call(self, *argv):
        argv = [self.run_options.cuglyph, *argv, "--device", self.run_options.device, "--threads", str(self.run_options.threads)]
        got = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if got.returncode != 0:
            last = (got.stderr.strip() or got.stdout.strip() or "no word").splitlines()[-1]
            raise Dropped(f"{' '.join(argv)}: {last}")

    def train_argv(self, model, epochs):
        subprocess.run(["rm", "-rf", self.folder], check=True)
        argv = ["train", model, "--epochs", str(epochs), "--batch", str(BATCH[model]), "--run", self.folder]
        return argv + self.run_options.data_options + (["--limit", "6400", "--val", "640"] if self.run_options.smoke else [])

    def turn(self, kind, model):
        if self.steps:
            file = os.path.join(self.run_options.work, "bench.json")
            seconds = str(self.run_options.seconds)
            self.call("bench", kind, model, "--batch", str(BATCH[model]), "--samples", "3", "--min-time", seconds,
                      "--max-time", seconds, "--json", file)
            with open(file) as f:
                return json.load(f)["rows"][0]["images_per_s"]
        # An epoch of mlp takes a tenth of a second; four make a turn as long as a peer's.
        self.call(*self.train_argv(model, 4 if model == "mlp" else 1), "--quiet")
        with open(os.path.join(self.folder, "log.jsonl")) as log:
            rates = [e["images_per_second"] for e in map(json.loads, log) if e["event"] == "epoch"]
        return len(rates) / sum(1 / r for r in rates)

    def cpu_seconds(self):
        return 0.0

    def close(self):
        pass

    def cold(self, model, limit):
        argv = [self.run_options.cuglyph, *self.train_argv(model, 1), "--device", self.run_options.device, "--threads",
                str(self.run_options.threads)]
        began = time.monotonic()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        took, said = None, ""
        try:
            while took is None:
                said += lines_of(process, limit)
                if re.search(r"^epoch 1/1 +loss", said, re.M):
                    took = time.monotonic() - began
            process.stdout.read()
        except Dropped as e:
            process.kill()
            raise Dropped(f"cuglyph train: {e}: {(said.strip().splitlines() or ['no word'])[-1]}") from None
        finally:
            peak = reap(process)
            process.stdout.close()
        return took, peak
