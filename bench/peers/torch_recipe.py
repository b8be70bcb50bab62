#!/usr/bin/env python3
"""The recipe of `cuglyph sprint` in PyTorch: net, steps, optimizer and schedule out of `cuglyph sprint --print-config`.

A process that lives through the run; each line on standard input is a seed, each answer a line of JSON with the seconds
from bytes in memory to the last step's weights, as `cuglyph sprint` counts them, and the test images got wrong.
Variants: default, channels_last, compile (of channels_last). A run before the first answer warms up and compiles.
"""
import argparse
import json
import math
import os
import re
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

import peers

TRAIN, TEST = "train", "t10k"


def read_recipe(path):
    out = {}
    with open(path) as f:
        for line in f:
            key, _, value = line.split("#")[0].partition("=")
            if value:
                out[key.strip()] = value.strip()
    return out


def build(spec):
    """The layers that a recipe has; shapes are followed along the way."""
    modules, c, h, w, flat = [], 0, 0, 0, 0
    for words in (part.split() for part in spec.split(";")):
        kind = words[0]
        bias = "bias=no" not in words
        if kind == "input":
            h, w, c = map(int, words[1].split("x"))
        elif kind == "conv":
            k, r = int(words[1]), int(words[2].split("x")[0])
            modules.append(nn.Conv2d(c, k, r, bias=bias))
            c, h, w = k, h - r + 1, w - r + 1
        elif kind == "maxpool":
            modules.append(nn.MaxPool2d(int(words[1])))
            h, w = h // int(words[1]), w // int(words[1])
        elif kind == "batchnorm":
            modules.append(nn.BatchNorm2d(c))
        elif kind in ("silu", "gelu", "relu"):
            modules.append({"silu": nn.SiLU, "gelu": nn.GELU, "relu": nn.ReLU}[kind]())
        elif kind == "flatten":
            modules.append(nn.Flatten())
            flat = c * h * w
        elif kind == "linear":
            modules.append(nn.Linear(flat, int(words[1]), bias=bias))
            flat = int(words[1])
        else:
            raise ValueError(f"no {kind} here")
    return nn.Sequential(*modules)


class Recipe:
    def __init__(self, options):
        r, self.variant = read_recipe(options.recipe), options.variant
        self.spec, self.crop, self.batch = r["model"], int(r["crop"]), int(r["batch"])
        self.steps, self.lr, self.pct = int(r["max-steps"]), float(r["lr"]), float(r["pct"])
        self.start, self.end = 1 / float(r["div"]), 1 / (float(r["div"]) * float(r["final-div"]))
        self.betas, self.eps, self.smoothing = (float(r["beta1"]), float(r["beta2"])), float(r["eps"]), float(r["smoothing"])
        if (r["optimizer"], r["schedule"], r["epochs"], r["scale"]) != ("adam", "onecycle-linear", "1", "std"):
            raise ValueError("this recipe is not one that torch_recipe.py knows")
        self.layout = torch.contiguous_format if self.variant == "default" else torch.channels_last
        self.device = options.device
        self.net = build(self.spec).to(self.device, memory_format=self.layout)
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.call = torch.compile(self.net) if self.variant == "compile" else self.net
        parts = []
        for part in (TRAIN, TEST):
            pixels = peers.read_idx(options.data, f"{part}-images-idx3-ubyte")
            labels = peers.read_idx(options.data, f"{part}-labels-idx1-ubyte")
            parts.append((torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype("int64"))))
        (self.pixels, self.labels), (self.test_pixels, self.test_labels) = parts

    def rate(self, step):
        climb = self.pct * self.steps
        if step < climb:
            return self.lr * (self.start + (1 - self.start) * step / climb)
        return self.lr * (1 + (self.end - 1) * (step - climb) / (self.steps - climb))

    def cropped(self, pixels):
        c = self.crop
        return pixels[:, c : pixels.shape[1] - c, c : pixels.shape[2] - c].contiguous()

    def images(self, pixels, mean, scale):
        x = pixels.to(self.device).float().sub_(mean).mul_(scale).unsqueeze(1)
        return x.contiguous(memory_format=self.layout)

    def run(self, seed):
        torch.manual_seed(seed)
        began = time.perf_counter()
        pixels = self.cropped(self.pixels)
        counts = torch.bincount(pixels.flatten(), minlength=256).double()
        values = torch.arange(256).double()
        mean = float((counts * values).sum() / counts.sum())
        scale = 1 / math.sqrt(float((counts * (values - mean) ** 2).sum() / counts.sum()))
        for module in self.net:
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        self.net.train()
        adam = torch.optim.Adam(self.net.parameters(), lr=self.lr, betas=self.betas, eps=self.eps, fused=True)
        order = torch.randperm(len(pixels))
        for step in range(self.steps):
            pick = order[step * self.batch : (step + 1) * self.batch]
            for group in adam.param_groups:
                group["lr"] = self.rate(step)
            adam.zero_grad(set_to_none=True)
            out = self.call(self.images(pixels[pick], mean, scale))
            loss = F.cross_entropy(out, self.labels[pick].to(self.device), label_smoothing=self.smoothing)
            loss.backward()
            adam.step()
        if self.device == "cuda":
            torch.cuda.synchronize()
        took = time.perf_counter() - began
        self.net.eval()
        wrong, test = 0, self.cropped(self.test_pixels)
        with torch.inference_mode():
            for i in range(0, len(test), 1000):
                got = self.net(self.images(test[i : i + 1000], mean, scale)).argmax(1).cpu()
                wrong += int((got != self.test_labels[i : i + 1000]).sum())
        return {"seconds": took, "wrong": wrong, "of": len(test)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--variant", default="default")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    torch.set_num_threads(options.threads)
    try:
        recipe = Recipe(options)
        recipe.run(0)  # warm
        answers.write(json.dumps({"ok": True, "version": torch.__version__, "parameters": recipe.parameters}) + "\n")
        for line in sys.stdin:
            answers.write(json.dumps({"ok": True, **recipe.run(int(line))}) + "\n")
    except Exception as e:  # the driver says it and goes on
        answers.write(json.dumps({"ok": False, "error": re.sub(r"\s+", " ", f"{type(e).__name__}: {e}")[:200]}) + "\n")


if __name__ == "__main__":
    main()
