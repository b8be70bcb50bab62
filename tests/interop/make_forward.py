"""The cases of the ONNX standard's own backend test for the operators that cuglyph's ops cover.

    make_forward.py OUT.gz

From the package onnx: the `node` cases, and the two-dimensional `pytorch-converted` ones. Numbers there are float32.
"""
import glob
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

from fixture import Fixture, NotOurs, nhwc

OUT = sys.argv[1]
DATA = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
fix = Fixture("forward", False, f"make_forward.py, onnx {onnx.__version__}")


def only_node(folder):
    """The model and its node; more of them are the same case again, in smaller operators."""
    model = onnx.load(os.path.join(folder, "model.onnx"))
    return model, model.graph.node[0] if len(model.graph.node) == 1 else None


def read(folder, model):
    """Inputs, outputs and weights by name."""
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    inputs = [i.name for i in model.graph.input if i.name not in arrays]
    data = os.path.join(folder, "test_data_set_0")
    for kind, names in (("input", inputs), ("output", [o.name for o in model.graph.output])):
        for i, name in enumerate(names):
            t = onnx.TensorProto()
            with open(os.path.join(data, f"{kind}_{i}.pb"), "rb") as f:
                t.ParseFromString(f.read())
            arrays[name] = numpy_helper.to_array(t)
    return arrays


def real(*arrays):
    for a in arrays:
        if a is not None and a.dtype != np.float32:
            raise NotOurs("another element type")


def planes(x):
    if x.ndim != 4:
        raise NotOurs(f"{x.ndim - 2} dimensions")


def pads_of(at, kernel, stride, x, y):
    """top, left, bottom, right: as given, or what auto_pad makes of the sizes."""
    auto = at.get("auto_pad", b"NOTSET").decode()
    if auto in ("NOTSET", "VALID"):
        return list(at.get("pads", [0, 0, 0, 0]))
    total = [max(0, (y.shape[2 + i] - 1) * stride[i] + kernel[i] - x.shape[2 + i]) for i in (0, 1)]
    small = [t // 2 for t in total]
    large = [t - s for t, s in zip(total, small)]
    return small + large if auto == "SAME_UPPER" else large + small


def conv(at, x, w, b, y):
    real(x, w)
    planes(x)
    groups = at.get("group", 1)
    K, C, R, S = w.shape
    if any(d != 1 and k > 1 for d, k in zip(at.get("dilations", [1, 1]), (R, S))):
        raise NotOurs("dilation")
    stride = list(at.get("strides", [1, 1]))
    top, left, bottom, right = pads_of(at, (R, S), stride, x, y)
    N, _, H, W = x.shape
    made = []
    for g in range(groups):  # each group is a convolution of its own channels
        cs, ks = slice(g * C, g * C + C), slice(g * K // groups, (g + 1) * K // groups)
        given = {"x": nhwc(x[:, cs]), "w": nhwc(w[ks])}
        if b is not None:
            given["b"] = b[ks]
        shape = [N, H, W, C, K // groups, R, S] + stride + [top, bottom, left, right]
        made.append(fix.call("conv2d", shape, given, {"y": nhwc(y[:, ks])}))
    return made


def pool(kind, at, x, y, indices=None):
    real(x)
    planes(x)
    kernel = list(at.get("kernel_shape", x.shape[2:]))  # a global pool has none
    stride = list(at.get("strides", [1, 1]))
    if any(d != 1 and k > 1 for d, k in zip(at.get("dilations", [1, 1]), kernel)):
        raise NotOurs("dilation")
    top, left, bottom, right = pads_of(at, kernel, stride, x, y)
    if kind == 1 and at.get("count_include_pad", 0) and any((top, left, bottom, right)):
        raise NotOurs("padding counted in the mean")
    far = lambda axis, near, end: max(end, (y.shape[axis] - 1) * stride[axis - 2] + kernel[axis - 2] - x.shape[axis] - near)
    bottom, right = far(2, top, bottom), far(3, left, right)
    if max(kernel) > 15:
        raise NotOurs("a window over 15")
    if max(top, bottom) >= kernel[0] or max(left, right) >= kernel[1]:
        raise NotOurs("padding as wide as the window")
    N, C, H, W = x.shape
    want = {"y": nhwc(y)}
    if indices is not None and at.get("storage_order", 0) == 0:
        at_plane = indices % (H * W)
        rows = np.arange(y.shape[2]).reshape(-1, 1) * stride[0] - top
        columns = np.arange(y.shape[3]) * stride[1] - left
        want["argmax"] = nhwc((at_plane // W - rows) * kernel[1] + at_plane % W - columns)
    return [fix.call("pool2d", [kind, N, H, W, C] + kernel + stride + [top, bottom, left, right], {"x": nhwc(x)}, want)]


def linear(x, w, b, y):
    """w (O,I)."""
    real(x, w)
    given = {"x": x, "w": np.ascontiguousarray(w)}
    if b is not None:
        given["b"] = b
    return [fix.call("linear", [x.size // w.shape[1], w.shape[1], w.shape[0]], given, {"y": y})]


def gemm(at, a, b, c, y):
    if at.get("alpha", 1.0) != 1 or at.get("beta", 1.0) != 1:
        raise NotOurs("alpha or beta")
    w, x = (b if at.get("transB", 0) else b.T), (a.T if at.get("transA", 0) else a)
    if c is not None and c.size != 1 and c.shape != (1,) * (c.ndim - 1) + (w.shape[0],):
        raise NotOurs("an addend that is no bias")
    b = None if c is None else np.broadcast_to(c.reshape(-1), w.shape[0])
    return linear(np.ascontiguousarray(x), w, b, y)


def matmul(a, b, y):
    if b.ndim > 2:
        raise NotOurs("a batch of matrices")
    return linear(a, b.reshape(a.shape[-1], -1).T, None, y)


def activation(kind, x, y, slope=None):
    real(x)
    return [fix.call("activation", [kind, x.size], {"x": x}, {"y": y}, slope)]


def add(xs, y):
    real(*xs)
    if len(xs) == 1:
        xs = xs * 1
    if all(x.shape == y.shape for x in xs):
        return [fix.call("add", [len(xs), y.size], {f"x{j}": x for j, x in enumerate(xs)}, {"y": y})]
    if len(xs) == 2 and xs[0].shape == y.shape and y.shape[-1:] == xs[1].shape:
        return [fix.call("bias", [y.size // xs[1].size, xs[1].size], {"x": xs[0], "b": xs[1]}, {"y": y})]
    raise NotOurs("broadcasting")


def concat(at, xs, y):
    real(*xs)
    axis = at["axis"] % y.ndim
    rows = int(np.prod(y.shape[:axis], dtype=np.int64))
    return [fix.call("concat", [len(xs), rows] + [x.size // rows for x in xs], {f"x{j}": x for j, x in enumerate(xs)},
                     {"y": y})]


def dropout(at, x, ratio, training, y):
    real(x)
    ratio = float(ratio) if ratio is not None else at.get("ratio", 0.5)
    if training is not None and bool(training) and ratio != 0:
        raise NotOurs("a mask from another generator")
    return [fix.call("dropout", [x.shape[0], x.size // x.shape[0]], {"x": x}, {"y": y})]


def rows_of(a, axis):
    a = np.moveaxis(a, axis, -1)
    return np.ascontiguousarray(a.reshape(-1, a.shape[-1]))


def xent(at, z, labels, weights, y, log_prob=None):
    real(z)
    if weights is not None:
        raise NotOurs("class weights")
    if "ignore_index" in at and (labels == at["ignore_index"]).any():
        raise NotOurs("ignored labels")
    z = rows_of(z, 1)
    each = at.get("reduction", b"mean") == b"none"
    y = y if each or at.get("reduction", b"mean") == b"mean" else y / z.shape[0]
    return [fix.call("softmax_xent", z.shape, {"z": z, "labels": labels.reshape(-1)},
                     {"loss" if each else "mean": np.asarray(y).reshape(-1)}, 0)]


def log_softmax(at, x, y):
    """log softmax of output k is what the loss charges for label k."""
    real(x)
    axis = at.get("axis", -1)
    z, want = rows_of(x, axis), rows_of(y, axis)
    N, K = z.shape
    if K < 2:
        raise NotOurs("one output")
    return [fix.call("softmax_xent", [N * K, K], {"z": np.repeat(z, K, axis=0), "labels": np.tile(np.arange(K), N)},
                     {"loss": -want.reshape(-1)}, 0)]


def batch_norm(at, x, scale, bias, mean, var, y):
    real(x, scale, mean)
    C = x.shape[1] if x.ndim > 1 else 1
    rows = lambda t: np.ascontiguousarray(np.moveaxis(t, 1, -1)).reshape(-1, C)
    given = {"x": rows(x), "gamma": scale, "beta": bias, "numbers": [float(np.float32(at.get("epsilon", 1e-5))), 0.1]}
    if not at.get("training_mode", 0):
        given.update(running_mean=mean, running_var=var)
    # in training its running variance is the biased one, ours PyTorch's: the output alone
    op = "batch_norm" if at.get("training_mode", 0) else "batch_norm_eval"
    biased = rows(x).astype(np.float64).var(0)
    want = {"y": rows(y)}
    if op == "batch_norm":
        want["saved"] = np.stack([rows(x).astype(np.float64).mean(0), 1 / np.sqrt(biased + given["numbers"][0]), biased])
    return [fix.call(op, [x.size // C, C], given, want)]


def momentum(at, r, t, tensors, outs):
    n = len(tensors) // 3
    if t > 0 and at["beta"] != 1:
        raise NotOurs("dampening")
    kind = 2 if at["mode"] == b"nesterov" else 1
    return [fix.call("update", [kind, x.size],
                     {"w": x, "m": v, "g": g, "numbers": [float(r), at["alpha"], 0, 0, 0, at["norm_coefficient"], 1, 1]},
                     {"w": outs[i], "m": outs[n + i]})
            for i, (x, g, v) in enumerate(zip(tensors[:n], tensors[n:2 * n], tensors[2 * n:]))]


def adam(at, r, t, tensors, outs):
    n = len(tensors) // 4
    b1, b2 = at.get("alpha", 0.9), at.get("beta", 0.999)
    c1, c2 = (1 - b1 ** int(t), 1 - b2 ** int(t)) if t > 0 else (1, 1)
    if at.get("norm_coefficient_post", 0) != 0:
        raise NotOurs("decay after the update")
    eps = at.get("epsilon", 1e-6) / c2 ** 0.5  # added there to sqrt(v), here to sqrt(v/c2)
    numbers = [float(r), 0, b1, b2, eps, at.get("norm_coefficient", 0.0), c1, c2]
    return [fix.call("update", [3, tensors[i].size],
                     {"w": tensors[i], "g": tensors[n + i], "m": tensors[2 * n + i], "v": tensors[3 * n + i],
                      "numbers": numbers}, {"w": outs[i], "m": outs[n + i], "v": outs[2 * n + i]}) for i in range(n)]


def calls(node, arrays):
    at = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    i = [arrays[n] if n else None for n in node.input]
    o = [arrays[n] for n in node.output if n]
    get = lambda k: i[k] if len(i) > k else None
    t = node.op_type
    if t == "Conv":
        return conv(at, i[0], i[1], get(2), o[0])
    if t in ("MaxPool", "GlobalMaxPool"):
        return pool(0, at, i[0], *o)
    if t in ("AveragePool", "GlobalAveragePool"):
        return pool(1, at, i[0], *o)
    if t == "BatchNormalization":
        return batch_norm(at, *i, o[0])
    if t == "Gemm":
        return gemm(at, i[0], i[1], get(2), o[0])
    if t == "MatMul":
        return matmul(*i, o[0])
    if t in ("Relu", "Sigmoid", "Tanh"):
        return activation({"Relu": 1, "Sigmoid": 3, "Tanh": 4}[t], i[0], o[0])
    if t == "Gelu":
        if at.get("approximate", b"none") != b"none":
            raise NotOurs("the tanh approximation")
        return activation(6, i[0], o[0])
    if t == "Swish":
        if at.get("alpha", 1.0) != 1:
            raise NotOurs("a factor in the exponent")
        return activation(5, i[0], o[0])
    if t == "LeakyRelu":
        return activation(2, i[0], o[0], np.float32(at.get("alpha", 0.01)))
    if t in ("Add", "Sum"):
        return add(i, o[0])
    if t == "Concat":
        return concat(at, i, o[0])
    if t == "Dropout":
        return dropout(at, i[0], get(1), get(2), o[0])
    if t == "SoftmaxCrossEntropyLoss":
        return xent(at, i[0], i[1], get(2), *o)
    if t == "LogSoftmax":
        return log_softmax(at, i[0], o[0])
    if t == "Momentum":
        return momentum(at, i[0], i[1], i[2:], o)
    if t == "Adam":
        return adam(at, i[0], i[1], i[2:], o)
    raise NotOurs("no such op here")


OURS = {"Conv", "BatchNormalization", "MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool", "Gemm", "MatMul", "Relu", "Sigmoid",
        "Tanh", "LeakyRelu", "Gelu", "Swish", "Add", "Sum", "Concat", "Dropout", "SoftmaxCrossEntropyLoss", "LogSoftmax", "Momentum",
        "Adam"}
NEAR = {"NegativeLogLikelihoodLoss": "takes log-probabilities", "Softmax": "only inside the loss",
        "Flatten": "a view, no arithmetic", "Reshape": "a view, no arithmetic"}

for folder in sorted(glob.glob(os.path.join(DATA, "node", "test_*"))):
    model, node = only_node(folder)
    if node and node.op_type in OURS:
        fix.attempt(node.op_type, os.path.basename(folder)[5:], lambda: calls(node, read(folder, model)))
    elif node and node.op_type in NEAR:
        fix.not_applicable(node.op_type, NEAR[node.op_type])

for folder in sorted(glob.glob(os.path.join(DATA, "pytorch-converted", "test_Conv2d*"))):
    model, node = only_node(folder)
    fix.attempt("Conv, converted from PyTorch", os.path.basename(folder)[5:], lambda: calls(node, read(folder, model)))

fix.save(OUT)
