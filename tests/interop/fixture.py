"""The file that build/interop reads: a safetensors file, gzip, with three flat tensors and a description in its metadata.

  "f" F32, "d" F64, "i" I32      all numbers; a reference is [pool, first element, count]
  metadata "item"                "gradients", "forward" or "training"
  metadata "wide"                "1": expected numbers were computed in float64; "0": in float32
  metadata "samples"             JSON: [{"group", "name", "calls": [{"op", "shape", "slope", "in", "want"}]}]
  metadata "not_applicable"      JSON: {group: {reason: count}}
  metadata "others"              JSON: {group: [names]}, of what has no op here
  metadata "made_by"             what made it

Arrays are given in cuglyph's layouts (NHWC, KRSC); the transposing is done here, by the scripts.
"""
import gzip
import json
import os
import struct

import numpy as np


class NotOurs(Exception):
    """A sample that asks for something cuglyph's ops do not do; the text says what."""


def nhwc(a):
    """(N,C,H,W) or (K,C,R,S) to channels last."""
    return np.ascontiguousarray(np.transpose(np.asarray(a), (0, 2, 3, 1)))


class Fixture:
    def __init__(self, item, wide, made_by):
        self.item, self.wide, self.made_by = item, wide, made_by
        self.samples, self.outside, self.others = [], {}, {}
        self.pools = {"f": bytearray(), "d": bytearray(), "i": bytearray()}
        self.known = {}

    def _keep(self, pool, a):
        raw = a.tobytes()
        if (pool, raw) not in self.known:
            size = 8 if pool == "d" else 4
            self.known[pool, raw] = [pool, len(self.pools[pool]) // size, a.size]
            self.pools[pool] += raw
        return self.known[pool, raw]

    def real(self, a):
        """Real numbers; in float32 where that loses nothing."""
        a = np.ascontiguousarray(np.asarray(a, dtype=np.float64))
        narrow = a.astype(np.float32)
        if np.array_equal(narrow.astype(np.float64), a, equal_nan=True):
            return self._keep("f", narrow)
        return self._keep("d", a)

    def whole(self, a):
        a = np.ascontiguousarray(a)
        assert a.size == 0 or (a.min() >= -(2**31) and a.max() < 2**31)
        return self._keep("i", a.astype(np.int32))

    def call(self, op, shape, given, want, slope=None):
        """given, want: name -> array; arrays of integers are kept as such."""
        put = lambda a: self.whole(a) if np.asarray(a).dtype.kind in "iu" else self.real(a)
        call = {"op": op, "shape": [int(v) for v in shape]}
        call["in"] = {k: put(v) for k, v in given.items()}
        call["want"] = {k: put(v) for k, v in want.items()}
        if slope is not None:
            call["slope"] = float(slope)
        return call

    def sample(self, group, name, calls):
        self.samples.append({"group": group, "name": name, "calls": calls})

    def not_applicable(self, group, reason, count=1):
        reasons = self.outside.setdefault(group, {})
        reasons[reason] = reasons.get(reason, 0) + count

    def no_such_op(self, group, name):
        self.not_applicable(group, "no such op here")
        self.others.setdefault(group, []).append(name)

    def attempt(self, group, name, make):
        """Adds what `make` returns, or counts why it does not apply."""
        try:
            self.sample(group, name, make())
        except NotOurs as why:
            self.not_applicable(group, str(why))

    def save(self, path):
        header, at, data = {}, 0, b""
        for pool, dtype, size in (("d", "F64", 8), ("f", "F32", 4), ("i", "I32", 4)):
            raw = bytes(self.pools[pool])
            header[pool] = {"dtype": dtype, "shape": [len(raw) // size], "data_offsets": [at, at + len(raw)]}
            at += len(raw)
            data += raw
        text = lambda v: json.dumps(v, separators=(",", ":"), sort_keys=True)
        header["__metadata__"] = {"item": self.item, "wide": "1" if self.wide else "0", "made_by": self.made_by,
                                  "samples": text(self.samples), "not_applicable": text(self.outside), "others": text(self.others)}
        head = text(header).encode()
        head += b" " * (-len(head) % 8)
        with open(path, "wb") as f:
            f.write(gzip.compress(struct.pack("<Q", len(head)) + head + data, 9, mtime=0))
        outside = sum(sum(r.values()) for r in self.outside.values())
        print(f"{path}: {len(self.samples)} samples, {outside} not applicable, {os.path.getsize(path)} bytes")
