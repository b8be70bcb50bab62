#!/usr/bin/env python3
"""PyTorch. Variants: default (NCHW), channels_last, compile (of channels_last), graphs (the step as a CUDA graph)."""
import sys

import torch
from torch import nn

import peers


def build(net, layers):
    modules, channels = [], 1
    for filters, kernel in net.convs:
        modules += [nn.Conv2d(channels, filters, kernel), nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    modules += [nn.Flatten(), nn.Linear(layers[-2][0].shape[1], net.wide), nn.ReLU(), nn.Linear(net.wide, 10)]
    model = nn.Sequential(*modules)
    with torch.no_grad():
        for module, (w, b) in zip((m for m in model if hasattr(m, "weight")), layers):
            module.weight.copy_(torch.from_numpy(w))
            module.bias.copy_(torch.from_numpy(b))
    return model


class Work:
    def __init__(self, kind, net, layers, options):
        self.device, self.variant = options.device, options.variant
        self.layout = torch.contiguous_format if options.variant == "default" else torch.channels_last
        self.net = build(net, layers).to(self.device, memory_format=self.layout)
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.loss_of, self.last, self.graph = nn.CrossEntropyLoss(), torch.zeros(()), None
        self.training = kind == "train"
        if self.training:
            # A captured step must find the optimizer's counter on the device.
            self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3, fused=True, capturable=self.variant == "graphs")
        else:
            self.net.eval()
        self.call = torch.compile(self.net) if self.variant == "compile" else self.net

    def put(self, x, y):
        x = torch.from_numpy(x).permute(0, 3, 1, 2)
        return x.to(self.device).contiguous(memory_format=self.layout), torch.from_numpy(y).to(self.device)

    def once(self, x, y):
        if not self.training:
            with torch.inference_mode():
                self.last = self.call(x)
            return
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss_of(self.call(x), y)
        loss.backward()
        self.adam.step()
        self.last = loss.detach()

    def capture(self, x, y):
        """The first steps run on a side stream, as capturing demands, on copies: no step counts twice."""
        self.x, self.y = x.clone(), y.clone()
        saved = [p.detach().clone() for p in self.net.parameters()]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.once(self.x, self.y)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.once(self.x, self.y)
        with torch.no_grad():
            for p, was in zip(self.net.parameters(), saved):
                p.copy_(was)
            if self.training:
                for state in self.adam.state.values():
                    for value in state.values():
                        value.zero_()

    def step(self, batch):
        if self.variant != "graphs":
            self.once(*batch)
            return
        if self.graph is None:
            self.capture(*batch)
        self.x.copy_(batch[0])
        self.y.copy_(batch[1])
        self.graph.replay()

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()
        return float(self.last.abs().mean())


def on(options):
    torch.set_num_threads(options.threads)
    if options.device == "cuda":
        # float32 as ours: no TF32.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        if not torch.cuda.is_available():
            sys.exit("torch sees no GPU")
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    peers.main(Work, f"PyTorch {torch.__version__}", on)
