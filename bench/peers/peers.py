"""What all peers share: the nets, their first weights, the batches, and the loop that takes the driver's orders.

A peer is a file NAME_peer.py with a class Work and a call of `main`. A Work is one net made to train or to infer:

    Work(kind, net, weights, options)   kind "train" or "infer"; net a Net; weights as `weights` gives them
    parameters                          how many the framework counts
    put(x, y) -> batch                  float32 N x 28 x 28 x 1 in [0, 1] and int64 labels into the framework's memory
    step(batch)                         starts a training step (Adam, 1e-3) or a forward pass to the logits
    wait() -> float                     waits for all steps begun; the last loss, or the mean of the last logits' magnitudes

Orders come a line each on standard input, and each gets one line of JSON:

    prepare KIND MODEL       makes the net, checks it (below), warms it up
    run KIND MODEL SECONDS   repeats steps over the batches in memory for about so long; images a second
    quit

Checked each time: the count of parameters; that losses are finite and fall. The driver compares the losses after
CHECKED steps, and the logits, between peers: all begin with the same weights and see the same batches.
"""
import argparse
import gzip
import json
import math
import os
import sys
import time
from typing import NamedTuple

import numpy as np

BATCHES = 32  # in memory, gone through in turn
CHECKED = 20  # steps of training before anything is timed
EPOCH = 55000  # images of an epoch of cuglyph train: MNIST less 5,000 for validation


class Net(NamedTuple):
    name: str
    batch: int
    parameters: int
    convs: tuple  # (filters, kernel): convolution without padding, ReLU, 2x2 max pooling
    flat: tuple  # what is flattened: C, H, W
    wide: int  # then a dense layer with ReLU, then one of 10


NETS = {
    net.name: net
    for net in (
        Net("cnn-d", 128, 225034, ((32, 3), (64, 3)), (64, 5, 5), 128),
        Net("sprint", 256, 215194, ((24, 5), (32, 3)), (32, 5, 5), 256),
        Net("mlp", 128, 101770, (), (1, 28, 28), 128),
    )
}


def weights(net):
    """The first weights as [weight, bias] a layer: convolutions O x I x R x S, dense layers out x in (in: C, H, W order)."""
    random = np.random.default_rng(7)
    shapes, channels = [], 1
    for filters, kernel in net.convs:
        shapes.append((filters, channels, kernel, kernel))
        channels = filters
    shapes += [(net.wide, math.prod(net.flat)), (10, net.wide)]
    layers = []
    for shape in shapes:
        bound = math.sqrt(6 / math.prod(shape[1:])) / (2 if shape[0] == 10 else 1)
        layers.append([random.uniform(-bound, bound, shape).astype(np.float32), np.zeros(shape[0], np.float32)])
    return layers


def channels_last(net, layers):
    """The same for frameworks with N x H x W x C: convolutions R x S x I x O, dense layers in x out (in: H, W, C order)."""
    out = []
    for i, (w, b) in enumerate(layers):
        if w.ndim == 4:
            w = w.transpose(2, 3, 1, 0)
        elif i == len(net.convs):
            w = w.reshape(-1, *net.flat).transpose(0, 2, 3, 1).reshape(w.shape[0], -1).T
        else:
            w = w.T
        out.append([np.ascontiguousarray(w), b])
    return out


def read_idx(folder, name):
    for path, opened in ((f"{folder}/{name}.gz", gzip.open), (f"{folder}/{name}", open)):
        if os.path.exists(path):
            with opened(path, "rb") as file:
                raw = file.read()
            dims = raw[3]
            shape = np.frombuffer(raw, ">i4", dims, 4)
            return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)
    raise SystemExit(f"{folder} has no {name}")


class Data:
    def __init__(self, folder):
        self.pixels = read_idx(folder, "train-images-idx3-ubyte")
        self.labels = read_idx(folder, "train-labels-idx1-ubyte").astype(np.int64)

    def batch(self, i, size):
        part = slice(i * size, (i + 1) * size)
        return self.pixels[part, :, :, None].astype(np.float32) / np.float32(255), self.labels[part]


class Worker:
    def __init__(self, work, options):
        self.make, self.options, self.data, self.works = work, options, Data(options.data), {}

    def build(self, kind, model):
        net = NETS[model]
        work = self.make(kind, net, weights(net), self.options)
        if work.parameters != net.parameters:
            raise AssertionError(f"{model} has {work.parameters} parameters here, not {net.parameters}")
        return net, work

    def prepare(self, kind, model):
        start = time.perf_counter()
        net, work = self.build(kind, model)
        batches = [work.put(*self.data.batch(i, net.batch)) for i in range(BATCHES)]
        seen = []
        for i in range(CHECKED if kind == "train" else 3):
            work.step(batches[i if kind == "train" else 0])
            seen.append(work.wait())
        if not all(math.isfinite(v) for v in seen):
            raise AssertionError(f"{model}: a loss or logit is not finite")
        if kind == "train" and not seen[-1] < 0.9 * seen[0]:
            raise AssertionError(f"{model}: the loss does not fall: {seen[0]:.4f}, after {CHECKED} steps {seen[-1]:.4f}")
        self.works[kind, model] = [work, batches, net.batch, 0.1]
        for _ in range(2):  # the second with a known duration of a step
            self.run(kind, model, 0.1)
        return {"parameters": work.parameters, "check": seen[-1], "seconds": time.perf_counter() - start}

    def run(self, kind, model, seconds):
        work, batches, size, step = self.works[kind, model]
        steps = max(1, math.ceil(seconds / step))
        work.wait()
        start = time.perf_counter()
        for i in range(steps):
            work.step(batches[i % BATCHES])
        work.wait()
        took = time.perf_counter() - start
        self.works[kind, model][3] = took / steps
        return {"images_per_s": steps * size / took, "steps": steps, "seconds": took}

    def cold(self, model):
        """One epoch, each batch made from bytes when its turn comes: what a process needs from start to end."""
        net, work = self.build("train", model)
        for i in range(EPOCH // net.batch):
            work.step(work.put(*self.data.batch(i, net.batch)))
        return {"loss": work.wait()}

    def answer(self, words):
        kind, *rest = words
        if kind == "prepare":
            return self.prepare(*rest)
        if kind == "run":
            return self.run(rest[0], rest[1], float(rest[2]))
        raise ValueError(f"no such order: {' '.join(words)}")


def main(work, version, on):
    """work: the class; version: of the framework; on(options) -> the device's name, called after the options are read."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--variant", default="default")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--cold")
    options = parser.parse_args()
    # Answers have a channel of their own: frameworks print what they like.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**fields):
        answers.write(json.dumps(fields) + "\n")

    device = on(options)
    worker = Worker(work, options)
    if options.cold:
        say(ok=True, **worker.cold(options.cold))
        return
    say(ok=True, version=version, device=device)
    for line in sys.stdin:
        if line.split() == ["quit"]:
            break
        try:
            say(ok=True, **worker.answer(line.split()))
        except Exception as e:  # the driver says it and goes on with the other peers
            say(ok=False, error=(f"{type(e).__name__}: {e}".splitlines() or ["?"])[0][:200])
