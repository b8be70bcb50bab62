#!/usr/bin/env python3
"""Draws the set in this folder: digits as a seven-segment display shows them, moved, stretched, slanted, unevenly lit.

    python3 data/segments/make.py FOLDER

Standard library only; the same bytes every time (the sums are in data/README.md)."""
import gzip
import os
import random
import struct
import sys

SIDE, TRAIN, TEST = 28, 500, 200
#         top, upper left, upper right, middle, lower left, lower right, bottom
LIT = ["1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011"]


def draw(digit, rng):
    height, width = rng.randrange(14, 21), rng.randrange(8, 12)
    thick, slant = rng.randrange(2, 4), rng.randrange(0, 5)
    top = (SIDE - height) // 2 + rng.randrange(-2, 3)
    left = (SIDE - width - slant) // 2 + rng.randrange(-2, 3)
    mid = height // 2
    bars = [(0, thick, 0, width), (0, mid, 0, thick), (0, mid, width - thick, width),
            (mid - thick // 2, mid - thick // 2 + thick, 0, width), (mid, height, 0, thick),
            (mid, height, width - thick, width), (height - thick, height, 0, width)]
    pixels = bytearray(SIDE * SIDE)
    for lit, (y0, y1, x0, x1) in zip(LIT[digit], bars):
        if lit == "0":
            continue
        light = 160 + 16 * rng.randrange(0, 6)
        for y in range(y0, y1):
            shift = slant * (height - y) // height  # leans to the right, as on a display
            for x in range(x0, x1):
                pixels[(top + y) * SIDE + left + x + shift] = light
    return bytes(pixels)


def write(path, extents, data):
    head = struct.pack(">BBBB", 0, 0, 8, len(extents)) + b"".join(struct.pack(">I", e) for e in extents)
    with open(path, "wb") as f:
        f.write(gzip.compress(head + data, 9, mtime=0))


def main(folder):
    rng = random.Random(1)
    for part, count in (("train", TRAIN), ("t10k", TEST)):
        labels = [i % 10 for i in range(count)]
        rng.shuffle(labels)
        images = b"".join(draw(d, rng) for d in labels)
        write(os.path.join(folder, part + "-images-idx3-ubyte.gz"), (count, SIDE, SIDE), images)
        write(os.path.join(folder, part + "-labels-idx1-ubyte.gz"), (count,), bytes(labels))


if __name__ == "__main__":
    main(sys.argv[1])
