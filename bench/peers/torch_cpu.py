#!/usr/bin/env python3
"""PyTorch on the CPU at the work of `make bench`: training steps of cnn-d, mlp or sprint on data in memory.

    torch_cpu.py [--model cnn-d|mlp|sprint] [--batch N] [--threads N] [--channels-last] [--steps N] [--repeat N]

Prints one line a repetition: model, batch, layout, milliseconds a step (mean of --steps), images a second.
glibc gives large blocks back to the kernel after each step and takes them again, a page fault at a time; to measure
without that:  MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_MMAP_THRESHOLD_=4294967296 torch_cpu.py ...
"""
import argparse
import time

import torch
from torch import nn

BATCH = {"cnn-d": 128, "mlp": 128, "sprint": 256}


def model(name):
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    first, second, wide, kernel, flat = (32, 64, 128, 3, 1600) if name == "cnn-d" else (24, 32, 256, 5, 800)
    return nn.Sequential(
        nn.Conv2d(1, first, kernel), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(flat, wide), nn.ReLU(), nn.Linear(wide, 10))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=BATCH, default="cnn-d")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    batch = args.batch or BATCH[args.model]
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net = model(args.model)
    x = torch.rand(batch, 1, 28, 28)
    if args.channels_last:
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch,))
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    loss_of = nn.CrossEntropyLoss()

    def step():
        adam.zero_grad(set_to_none=True)
        loss_of(net(x), labels).backward()
        adam.step()

    for _ in range(10):
        step()
    for _ in range(args.repeat):
        start = time.perf_counter()
        for _ in range(args.steps):
            step()
        seconds = (time.perf_counter() - start) / args.steps
        layout = "channels_last" if args.channels_last else "nchw"
        print(f"torch {torch.__version__} {args.model} batch {batch} {layout} threads {torch.get_num_threads()}: "
              f"{seconds * 1e3:.3f} ms a step, {batch / seconds:.0f} img/s", flush=True)


if __name__ == "__main__":
    main()
