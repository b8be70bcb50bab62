#!/usr/bin/env python3
"""tinygrad: the step under TinyJit. On a CPU it compiles with clang."""
import os
import sys

for i, word in enumerate(sys.argv):  # tinygrad reads its settings once, while it is imported
    if word == "--device" and i + 1 < len(sys.argv):
        os.environ["DEV"] = {"cpu": "CPU", "cuda": "CUDA"}.get(sys.argv[i + 1], "CPU")
    if word == "--threads" and i + 1 < len(sys.argv):
        os.environ["NUM_CPU_THREADS"] = sys.argv[i + 1]

import importlib.metadata

import numpy as np
from tinygrad import Context, Device, Tensor, TinyJit, nn

import peers


class Model:
    def __init__(self, net, layers):
        self.convs = len(net.convs)
        self.layers = []
        channels = 1
        for filters, kernel in net.convs:
            self.layers.append(nn.Conv2d(channels, filters, kernel))
            channels = filters
        self.layers += [nn.Linear(layers[-2][0].shape[1], net.wide), nn.Linear(net.wide, 10)]
        for layer, (w, b) in zip(self.layers, layers):
            layer.weight.assign(Tensor(w)).realize()
            layer.bias.assign(Tensor(b)).realize()

    def __call__(self, x):
        for i, layer in enumerate(self.layers):
            if i < self.convs:
                x = layer(x).relu().max_pool2d(2)
            else:
                x = layer(x.flatten(1))
                x = x.relu() if i + 1 < len(self.layers) else x
        return x


class Work:
    def __init__(self, kind, net, layers, options):
        self.net = Model(net, layers)
        params = nn.state.get_parameters(self.net)
        self.parameters = sum(int(np.prod(p.shape)) for p in params)
        self.training, self.last = kind == "train", None
        if not self.training:
            self.call = TinyJit(lambda x, y: self.net(x).realize())
            return
        adam = nn.optim.Adam(params, lr=1e-3)

        def train(x, y):
            with Context(TRAINING=1):
                adam.zero_grad()
                loss = self.net(x).sparse_categorical_crossentropy(y).backward()
                return loss.realize(*adam.schedule_step())

        self.call = TinyJit(train)

    def put(self, x, y):
        return Tensor(x.transpose(0, 3, 1, 2).copy()).realize(), Tensor(y.astype(np.int32)).realize()

    def step(self, batch):
        self.last = self.call(*batch)

    def wait(self):
        Device[Device.DEFAULT].synchronize()
        return float(np.abs(self.last.numpy()).mean())


def on(options):
    return f"{Device.DEFAULT}, {options.threads} threads" if options.device == "cpu" else Device.DEFAULT


if __name__ == "__main__":
    peers.main(Work, f"tinygrad {importlib.metadata.version('tinygrad')}", on)
