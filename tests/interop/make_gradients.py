"""PyTorch's own samples (OpInfo, module_db) for the ops cuglyph has, with PyTorch's outputs and gradients in float64.

    make_gradients.py OUT.gz

Inputs and scalars are rounded to float32 first, so that every backend is asked the same question.
"""
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F

from fixture import Fixture, NotOurs, nhwc

warnings.simplefilter("ignore")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402
from torch.testing._internal.common_modules import module_db  # noqa: E402

OUT = sys.argv[1]
fix = Fixture("gradients", True, f"make_gradients.py, torch {torch.__version__}")
generator = torch.Generator()


def narrow(t):
    """A leaf of its own with values that float32 holds."""
    if not isinstance(t, torch.Tensor) or not t.is_floating_point():
        return t
    return t.detach().to(torch.float32).to(torch.float64).contiguous().requires_grad_()


def narrow32(v):
    return float(np.float32(v))


def upstream(y):
    """Gradients to start from: multiples of 1/64, which keep the file small."""
    return torch.randint(-128, 129, y.shape, generator=generator).to(torch.float64) / 64


def need(*tensors):
    for t in tensors:
        if t.dtype != torch.float64:
            raise NotOurs("another element type")
        if t.numel() == 0:
            raise NotOurs("empty tensor")


def pair(v):
    if isinstance(v, int):
        return v, v
    return (v[0], v[0]) if len(v) == 1 else (v[0], v[1])


def arr(t):
    return t.detach().numpy()


def batched(t):
    return t if t.dim() == 4 else t.unsqueeze(0)


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    x, w, b = narrow(x), narrow(w), narrow(b)
    need(x, w)
    R, S = w.shape[2:]
    if any(d != 1 and k > 1 for d, k in zip(pair(dilation), (R, S))):
        raise NotOurs("dilation")
    sh, sw = pair(stride)
    if padding == "same":
        pads = [(R - 1) // 2, R - 1 - (R - 1) // 2, (S - 1) // 2, S - 1 - (S - 1) // 2]
    else:
        ph, pw = (0, 0) if padding == "valid" else pair(padding)
        pads = [ph, ph, pw, pw]
    y = F.conv2d(x, w, b, stride, padding, dilation, groups)
    need(y)
    dy = upstream(y)
    dx, dw, *db = torch.autograd.grad(y, [x, w] + ([b] if b is not None else []), dy)
    (N, _, H, W), C, K = batched(x).shape, w.shape[1], w.shape[0] // groups
    calls = []
    for g in range(groups):  # each group is a convolution of its own channels
        cs, ks = slice(g * C, g * C + C), slice(g * K, g * K + K)
        part = lambda t, channels: nhwc(arr(batched(t))[:, channels])
        given = {"x": part(x, cs), "w": nhwc(arr(w)[ks]), "dy": part(dy, ks)}
        want = {"y": part(y, ks), "dx": part(dx, cs), "dw": nhwc(arr(dw)[ks])}
        if b is not None:
            given["b"], want["db"] = arr(b)[ks], arr(db[0])[ks]
        calls.append(fix.call("conv2d", [N, H, W, C, K, R, S, sh, sw] + pads, given, want))
    return calls


def linear(x, w, b=None):
    x, w, b = narrow(x), narrow(w), narrow(b)
    need(x, w)
    y = F.linear(x, w, b)
    dy = upstream(y)
    dx, dw, *db = torch.autograd.grad(y, [x, w] + ([b] if b is not None else []), dy)
    width = x.shape[-1]
    given, want = {"x": arr(x), "w": arr(w), "dy": arr(dy)}, {"y": arr(y), "dx": arr(dx), "dw": arr(dw)}
    if b is not None:
        given["b"], want["db"] = arr(b), arr(db[0])
    return [fix.call("linear", [x.numel() // width, width, w.numel() // width], given, want)]


def activation(kind, f, x, slope=None):
    x = narrow(x)
    need(x)
    y = f(x)
    dy = upstream(y)
    dx = torch.autograd.grad(y, x, dy)[0]
    of = x if kind in (5, 6) else y  # what cuglyph takes the derivative from
    return [fix.call("activation", [kind, x.numel()], {"x": arr(x), "dy": arr(dy), "of": arr(of)},
                     {"y": arr(y), "dx": arr(dx)}, slope)]


def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    x, weight, bias = narrow(x), narrow(weight), narrow(bias)
    need(x)
    if momentum is None:
        raise NotOurs("running statistics as a plain mean")
    if not training:
        momentum = 0.1  # of no account
    if not 0 <= momentum <= 1:
        raise NotOurs("momentum outside [0,1]")
    eps, momentum, C = narrow32(eps), narrow32(momentum), x.shape[1]
    gamma = weight if weight is not None else torch.ones(C, dtype=torch.float64, requires_grad=True)
    beta = bias if bias is not None else torch.zeros(C, dtype=torch.float64, requires_grad=True)
    mean, var = (narrow(t).detach() if t is not None else None for t in (running_mean, running_var))
    was = (mean, var) if mean is None else (mean.clone(), var.clone())
    y = F.batch_norm(x, mean, var, gamma, beta, training, momentum, eps)
    dy = upstream(y)
    dx, dgamma, dbeta = torch.autograd.grad(y, [x, gamma, beta], dy)
    rows = lambda t: np.ascontiguousarray(np.moveaxis(arr(t), 1, -1)).reshape(-1, C)
    given = {"x": rows(x), "dy": rows(dy), "gamma": arr(gamma), "beta": arr(beta), "numbers": [eps, momentum]}
    want = {"y": rows(y), "dx": rows(dx)}
    shape = [x.numel() // C, C]
    if not training:
        given.update(running_mean=arr(was[0]), running_var=arr(was[1]))
        return [fix.call("batch_norm_eval", shape, given, want)]
    biased = rows(x).var(0)
    given["saved"] = want["saved"] = np.stack([rows(x).mean(0), 1 / np.sqrt(biased + eps), biased])
    want.update(dgamma=arr(dgamma), dbeta=arr(dbeta))
    if was[0] is not None:
        given.update(running_mean=arr(was[0]), running_var=arr(was[1]))
        want.update(running_mean=arr(mean), running_var=arr(var))
    return [fix.call("batch_norm", shape, given, want)]


def relu(x, inplace=False):
    return activation(1, F.relu, x)


def leaky_relu(x, negative_slope=0.01, inplace=False):
    slope = narrow32(negative_slope)
    if not 0 <= slope <= 1:
        raise NotOurs("slope outside [0,1]")
    return activation(2, lambda v: F.leaky_relu(v, slope), x, slope)


def sigmoid(x):
    return activation(3, torch.sigmoid, x)


def tanh(x):
    return activation(4, torch.tanh, x)


def silu(x, inplace=False):
    return activation(5, F.silu, x)


def gelu(x, approximate="none"):
    if approximate != "none":
        raise NotOurs("the tanh approximation")
    return activation(6, F.gelu, x)


def pool_shape(kind, x, y, kernel, stride, padding):
    """Shape of cuglyph's pooling; what ceil_mode adds is padding at the far end."""
    N, C, H, W = x.shape
    (R, S), (sh, sw), (ph, pw) = kernel, stride, padding
    far = lambda n, out, k, s, p: max(p, (out - 1) * s + k - n - p)
    return [kind, N, H, W, C, R, S, sh, sw, ph, far(H, y.shape[2], R, sh, ph), pw, far(W, y.shape[3], S, sw, pw)]


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    x = batched(narrow(x).detach()).clone().requires_grad_()
    need(x)
    kernel, padding = pair(kernel_size), pair(padding)
    stride = pair(stride) if stride not in (None, ()) else kernel
    if any(d != 1 and k > 1 for d, k in zip(pair(dilation), kernel)):
        raise NotOurs("dilation")
    y, at = F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
    dy = upstream(y)
    dx = torch.autograd.grad(y, x, dy)[0]
    at = at.numpy()
    rows = np.arange(y.shape[2]).reshape(-1, 1) * stride[0] - padding[0]
    columns = np.arange(y.shape[3]) * stride[1] - padding[1]
    argmax = nhwc((at // x.shape[3] - rows) * kernel[1] + at % x.shape[3] - columns)
    return [fix.call("pool2d", pool_shape(0, x, y, kernel, stride, padding),
                     {"x": nhwc(arr(x)), "dy": nhwc(arr(dy)), "winner": argmax},
                     {"y": nhwc(arr(y)), "dx": nhwc(arr(dx)), "argmax": argmax})]


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    x = batched(narrow(x).detach()).clone().requires_grad_()
    need(x)
    kernel, padding = pair(kernel_size), pair(padding)
    stride = pair(stride) if stride not in (None, ()) else kernel
    if divisor_override is not None:
        raise NotOurs("divisor_override")
    if count_include_pad and any(padding):
        raise NotOurs("padding counted in the mean")
    y = F.avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    dy = upstream(y)
    dx = torch.autograd.grad(y, x, dy)[0]
    return [fix.call("pool2d", pool_shape(1, x, y, kernel, stride, padding), {"x": nhwc(arr(x)), "dy": nhwc(arr(dy))},
                     {"y": nhwc(arr(y)), "dx": nhwc(arr(dx))})]


def dropout(x, p=0.5, training=True, inplace=False):
    x = narrow(x)
    need(x)
    if training and p != 0:
        raise NotOurs("a mask from another generator" if p < 1 else "p = 1")
    y = F.dropout(x, p, training)
    dy = upstream(y)
    dx = torch.autograd.grad(y, x, dy)[0]
    n = x.shape[0] if x.dim() > 1 else 1
    return [fix.call("dropout", [n, x.numel() // n], {"x": arr(x), "dy": arr(dy)}, {"y": arr(y), "dx": arr(dx)})]


def add(a, b, alpha=1):
    if alpha != 1:
        raise NotOurs("alpha")
    if not isinstance(b, torch.Tensor):
        raise NotOurs("a constant")
    a, b = narrow(a), narrow(b)
    need(a, b)
    y = torch.add(a, b)
    dy = upstream(y)
    da, db = torch.autograd.grad(y, [a, b], dy)
    if a.shape == b.shape:
        return [fix.call("add", [2, a.numel()], {"x0": arr(a), "x1": arr(b), "dy": arr(dy)}, {"y": arr(y), "dx": arr(d)})
                for d in (da, db)]
    if y.shape == a.shape and a.shape[a.dim() - b.dim():] == b.shape:  # a constant for each of the last axes' places
        return [fix.call("bias", [a.numel() // b.numel(), b.numel()], {"x": arr(a), "b": arr(b), "dy": arr(dy)},
                         {"y": arr(y), "dx": arr(da), "db": arr(db)})]
    raise NotOurs("broadcasting")


def cat(tensors, dim=0):
    xs = [narrow(t) for t in tensors]
    need(*xs)
    if len(xs) > 8:
        raise NotOurs("more than 8 inputs")
    y = torch.cat(xs, dim)
    dim %= y.dim()
    dy = upstream(y)
    grads = torch.autograd.grad(y, xs, dy)
    rows = int(np.prod(y.shape[:dim], dtype=np.int64))
    shape = [len(xs), rows] + [x.numel() // rows for x in xs]
    given = {f"x{j}": arr(x) for j, x in enumerate(xs)}
    given["dy"] = arr(dy)
    return [fix.call("concat", shape, given, {"y": arr(y), **{f"dx{j}": arr(g) for j, g in enumerate(grads)}})]


def loss_gradient(reduction, out, z, rows):
    """The gradient of the mean over rows, from that of whatever the reduction is."""
    g = torch.autograd.grad(out, z, torch.ones_like(out))[0]
    return g if reduction == "mean" else g / rows


def cross_entropy(z, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):
    z = narrow(z)
    need(z)
    if weight is not None:
        raise NotOurs("class weights")
    if target.is_floating_point():
        raise NotOurs("targets that are probabilities")
    if (target == ignore_index).any():
        raise NotOurs("ignored labels")
    e = narrow32(label_smoothing)
    z2 = z if z.dim() > 1 else z.unsqueeze(0)
    order = [0] + list(range(2, z2.dim())) + [1]
    K = z2.shape[1]
    rows = z2.numel() // K
    each = F.cross_entropy(z, target, reduction="none", label_smoothing=e)
    out = F.cross_entropy(z, target, ignore_index=ignore_index, reduction=reduction, label_smoothing=e)
    dz = loss_gradient(reduction, out, z, rows).reshape(z2.shape)
    flat = lambda t: arr(t.permute(order)).reshape(rows, K)
    return [fix.call("softmax_xent", [rows, K], {"z": flat(z2), "labels": target.reshape(-1).numpy()},
                     {"loss": arr(each).reshape(-1), "dz": flat(dz), "pred": flat(z2).argmax(1)}, e)]


def bce_logits(z, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    if weight is not None or pos_weight is not None:
        raise NotOurs("weights")
    z = narrow(z)
    need(z)
    # A target between 0 and 1 is a smoothed label: t = (1-e) label + e/2, e one float32 for each element.
    label = (target.detach() > 0.5).reshape(-1)
    e = (2 * torch.minimum(target.detach(), 1 - target.detach())).to(torch.float32).to(torch.float64).reshape(-1)
    if (e >= 1).any():
        raise NotOurs("a target of 1/2")
    t = ((1 - e) * label + e / 2).reshape(z.shape)
    each = F.binary_cross_entropy_with_logits(z, t, reduction="none")
    out = F.binary_cross_entropy_with_logits(z, t, reduction=reduction)
    dz = loss_gradient("sum", out, z, 1).reshape(-1) * (z.numel() if reduction == "mean" else 1)
    flat, each = arr(z).reshape(-1), arr(each).reshape(-1)
    return [fix.call("bce_logits", [1, 1], {"z": flat[i:i + 1], "labels": label[i:i + 1].numpy().astype(np.int32)},
                     {"loss": each[i:i + 1], "dz": arr(dz)[i:i + 1], "pred": (flat[i:i + 1] > 0).astype(np.int32)},
                     float(e[i])) for i in range(z.numel())]


def mse(x, target, size_average=None, reduce=None, reduction="mean", weight=None):
    if weight is not None:
        raise NotOurs("weights")
    x, target = narrow(x), narrow(target)
    need(x, target)
    if x.shape != target.shape:
        raise NotOurs("broadcasting")
    each = F.mse_loss(x, target, reduction="none")
    out = F.mse_loss(x, target, reduction=reduction)
    dz = loss_gradient(reduction, out, x, x.numel())
    z = arr(x - target).reshape(-1)  # the target is any number; ours are labels, so it is moved into the input
    return [fix.call("mse", [z.size, 1], {"z": z, "labels": np.zeros(z.size, np.int32)},
                     {"loss": arr(each).reshape(-1), "dz": arr(dz).reshape(-1)}, 0)]


OPS = {"nn.functional.conv2d": conv2d, "nn.functional.linear": linear, "nn.functional.relu": relu,
       "nn.functional.leaky_relu": leaky_relu, "sigmoid": sigmoid, "tanh": tanh, "nn.functional.silu": silu,
       "nn.functional.gelu": gelu, "nn.functional.batch_norm": batch_norm,
       "nn.functional.max_pool2d": max_pool2d, "nn.functional.avg_pool2d": avg_pool2d,
       "nn.functional.dropout": dropout, "nn.functional.cross_entropy": cross_entropy,
       "nn.functional.binary_cross_entropy_with_logits": bce_logits, "nn.functional.mse_loss": mse, "add": add,
       "cat": cat}


def module_call(m, args):
    """The module's call as the function above that does the same."""
    if isinstance(m, torch.nn.Conv2d):
        return conv2d(*args, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)
    if isinstance(m, torch.nn.Linear):
        return linear(*args, m.weight, m.bias)
    if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
        by_batch = m.training or m.running_mean is None
        return batch_norm(*args, m.running_mean, m.running_var, m.weight, m.bias, by_batch, m.momentum, m.eps)
    if isinstance(m, torch.nn.MaxPool2d):
        return max_pool2d(*args, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode)
    if isinstance(m, torch.nn.AvgPool2d):
        return avg_pool2d(*args, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad,
                          m.divisor_override)
    if isinstance(m, torch.nn.GELU):
        return gelu(*args, m.approximate)
    if isinstance(m, torch.nn.LeakyReLU):
        return leaky_relu(*args, m.negative_slope)
    if isinstance(m, torch.nn.CrossEntropyLoss):
        return cross_entropy(*args, m.weight, None, m.ignore_index, None, m.reduction, m.label_smoothing)
    if isinstance(m, torch.nn.BCEWithLogitsLoss):
        return bce_logits(*args, m.weight, None, None, m.reduction, m.pos_weight)
    if isinstance(m, torch.nn.MSELoss):
        return mse(*args, None, None, m.reduction)
    return {torch.nn.ReLU: relu, torch.nn.Sigmoid: sigmoid, torch.nn.Tanh: tanh, torch.nn.SiLU: silu}[type(m)](*args)


MODULES = {"Conv2d", "Linear", "ReLU", "LeakyReLU", "Sigmoid", "Tanh", "SiLU", "GELU", "MaxPool2d", "AvgPool2d", "CrossEntropyLoss",
           "BCEWithLogitsLoss", "MSELoss", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"}
DOUBLE = dict(dtype=torch.float64, requires_grad=True)


def seed():
    torch.manual_seed(7)
    generator.manual_seed(11)


for op in op_db:
    seed()
    if op.name not in OPS:
        if op.name.startswith("nn.functional."):
            fix.no_such_op("nn.functional, other ops", op.name[14:] + "/" * bool(op.variant_test_name) + op.variant_test_name)
        continue
    for i, s in enumerate(op.sample_inputs("cpu", **DOUBLE)):
        fix.attempt(op.name, f"{op.name} {i}", lambda: OPS[op.name](s.input, *s.args, **s.kwargs))

for info in module_db:
    seed()
    name = info.module_cls.__name__
    if name not in MODULES:
        fix.no_such_op("modules, other classes", name)
        continue
    for i, s in enumerate(info.module_inputs_func(info, device="cpu", training=False, **DOUBLE)):
        torch.manual_seed(i)
        m = info.module_cls(*s.constructor_input.args, dtype=torch.float64, **s.constructor_input.kwargs) \
            if name in ("Conv2d", "Linear") else info.module_cls(*s.constructor_input.args, **s.constructor_input.kwargs)
        args = list(s.forward_input.args) + list(s.forward_input.kwargs.values())
        fix.attempt(f"{name} (module)", f"{name} {i}", lambda: module_call(m, args))

fix.save(OUT)
