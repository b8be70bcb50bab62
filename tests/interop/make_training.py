"""What surrounds the ops: optimizers, schedules and losses against PyTorch, scores against scikit-learn and SciPy, random
numbers against Random123 (through the package randomgen), and two whole training runs in PyTorch.

    make_training.py OUT.gz DATA      DATA: the folder with the IDX files of the runs (data/segments)

Scalars are rounded to float32, as cuglyph keeps them, before PyTorch sees them. Everything is float64.
"""
import gzip
import inspect
import os
import sys

import numpy as np
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F
from randomgen import Philox

from fixture import Fixture

OUT, DATA = sys.argv[1:3]
fix = Fixture("training", True, f"make_training.py, torch {torch.__version__}, scikit-learn {sklearn.__version__}")
f32 = lambda v: float(np.float32(v))

# --- optimizers -----------------------------------------------------------------------------------------------------------

N, STEPS, KEPT = 16, 100, 5  # weights, of which the first half decays; steps; one in so many is kept
SGD, MOMENTUM, NESTEROV, ADAM, ADAMW, MUON = range(6)
rng = np.random.default_rng(3)
START = rng.normal(size=N).astype(np.float32)
GRADIENTS = (rng.normal(size=(STEPS, N)) * rng.uniform(0.05, 3, size=(1, N))).astype(np.float32)


# PyTorch's Muon iterates in bfloat16 whatever the weights are; the same code, in float64.
MODULE = sys.modules["torch.optim._muon"]
exec(inspect.getsource(MODULE._zeropower_via_newtonschulz).replace("torch.bfloat16", "torch.float64"), vars(MODULE))


def muon(name, rows, cols, lr, scale, mu=0.95, decay=0.0, l2=0, clip_norm=0, clip_value=0):
    """A matrix by torch.optim.Muon and five biases by AdamW, whose lr is the schedule's; Muon's is `scale` times that."""
    lr, scale, mu, decay, l2, clip_norm, clip_value = map(f32, (lr, scale, mu, decay, l2, clip_norm, clip_value))
    draw, n, betas, eps = np.random.default_rng(rows * 100 + cols), rows * cols + 5, (f32(0.9), f32(0.999)), f32(1e-8)
    start = draw.normal(size=n).astype(np.float32)
    gradients = (draw.normal(size=(STEPS, n)) * draw.uniform(0.05, 3, size=(1, n))).astype(np.float32)
    w, b = (torch.tensor(part, dtype=torch.float64, requires_grad=True)
            for part in (start[:-5].reshape(rows, cols), start[-5:]))
    opts = [torch.optim.Muon([w], lr=lr * scale, weight_decay=decay, momentum=mu, nesterov=True, adjust_lr_fn="original"),
            torch.optim.AdamW([b], lr=lr, betas=betas, eps=eps, weight_decay=0)]
    seen = []
    for t in range(STEPS):
        g = torch.tensor(gradients[t].astype(np.float64))
        w.grad, b.grad = g[:-5].reshape(rows, cols).clone(), g[-5:].clone()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_([w, b], clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_([w, b], clip_value)
        if l2:
            w.grad += torch.autograd.grad(l2 / 2 * (w**2).sum(), w)[0]
        for opt in opts:
            opt.step()
        if t % KEPT == KEPT - 1:
            seen.append(torch.cat([w.reshape(-1), b]).detach().numpy().copy())
    numbers = np.array([lr, mu, *betas, eps, decay, 0, l2, clip_value, clip_norm, scale, rows])
    fix.sample("optimizers", name, [fix.call("trajectory", [MUON, n, n - 5, STEPS, KEPT],
                                             {"w": start, "g": gradients, "numbers": numbers}, {"w": np.array(seen)})])


def trajectory(name, kind, lr, mu=0, beta1=0.9, beta2=0.999, eps=1e-8, decay=0, l1=0, l2=0, clip_value=0, clip_norm=0):
    lr, mu, beta1, beta2, eps, decay, l1, l2, clip_value, clip_norm = map(
        f32, (lr, mu, beta1, beta2, eps, decay, l1, l2, clip_value, clip_norm))
    w = [torch.tensor(half, dtype=torch.float64, requires_grad=True) for half in np.split(START.astype(np.float64), 2)]
    # PyTorch decays by parameter group; weight_decay of SGD and Adam is L2, of AdamW decoupled.
    pull = decay if kind == ADAMW else l2
    groups = [{"params": [w[0]], "weight_decay": pull}, {"params": [w[1]], "weight_decay": 0}]
    if kind in (ADAM, ADAMW):
        opt = (torch.optim.Adam if kind == ADAM else torch.optim.AdamW)(groups, lr=lr, betas=(beta1, beta2), eps=eps)
    else:
        opt = torch.optim.SGD(groups, lr=lr, momentum=mu, nesterov=kind == NESTEROV)
    seen = []
    for t in range(STEPS):
        for p, g in zip(w, np.split(GRADIENTS[t].astype(np.float64), 2)):
            p.grad = torch.tensor(g)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(w, clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(w, clip_value)
        if l1:
            w[0].grad += torch.autograd.grad(l1 * w[0].abs().sum(), w[0])[0]
        if l2 and kind == ADAMW:  # AdamW has no L2 of its own: a term of the loss
            w[0].grad += torch.autograd.grad(l2 / 2 * (w[0] ** 2).sum(), w[0])[0]
        opt.step()
        if t % KEPT == KEPT - 1:
            seen.append(torch.cat(w).detach().numpy().copy())
    numbers = np.array([lr, mu, beta1, beta2, eps, decay, l1, l2, clip_value, clip_norm])
    fix.sample("optimizers", name, [fix.call("trajectory", [kind, N, N // 2, STEPS, KEPT],
                                             {"w": START, "g": GRADIENTS, "numbers": numbers}, {"w": np.array(seen)})])


trajectory("sgd", SGD, 0.05)
trajectory("sgd, l2", SGD, 0.05, l2=0.01)
trajectory("sgd, l1", SGD, 0.05, l1=0.02)
trajectory("sgd, clip_norm", SGD, 0.05, clip_norm=2)
trajectory("sgd, clip_value", SGD, 0.05, clip_value=0.5)
trajectory("sgd, all of them", SGD, 0.05, clip_norm=3, clip_value=0.7, l1=0.01, l2=0.02)
for kind, name in ((MOMENTUM, "momentum"), (NESTEROV, "nesterov")):
    trajectory(name, kind, 0.01, mu=0.9)
    trajectory(name + " 0.5", kind, 0.03, mu=0.5)
    trajectory(name + ", l2", kind, 0.01, mu=0.9, l2=0.05)
    trajectory(name + ", l1", kind, 0.01, mu=0.9, l1=0.02)
    trajectory(name + ", clip_norm", kind, 0.01, mu=0.9, clip_norm=1)
    trajectory(name + ", clip_value", kind, 0.01, mu=0.9, clip_value=0.5)
for kind, name in ((ADAM, "adam"), (ADAMW, "adamw")):
    own = {"decay": 0.01} if kind == ADAMW else {}
    trajectory(name, kind, 0.01, **own)
    trajectory(name + ", betas 0.7 0.9", kind, 0.01, beta1=0.7, beta2=0.9, **own)
    trajectory(name + ", eps 1e-3", kind, 0.01, eps=1e-3, **own)
    trajectory(name + ", l2", kind, 0.01, l2=0.1, **own)
    trajectory(name + ", l1", kind, 0.01, l1=0.1, **own)
    trajectory(name + ", clip_norm", kind, 0.01, clip_norm=1, **own)
    trajectory(name + ", clip_value", kind, 0.01, clip_value=0.5, **own)
trajectory("adamw, no decay", ADAMW, 0.01)
trajectory("adamw, decay 0.3", ADAMW, 0.01, decay=0.3)
muon("muon, wide", 6, 10, 0.001, 20)
muon("muon, tall, decay 0.05, l2", 10, 6, 0.002, 10, decay=0.05, l2=0.1)
muon("muon 0.5, clip_norm, clip_value", 7, 3, 0.003, 5, mu=0.5, clip_norm=3, clip_value=0.7)
for absent in ("dampening", "maximize", "amsgrad", "RMSprop"):
    fix.not_applicable("optimizers", absent)

# --- schedules ------------------------------------------------------------------------------------------------------------

CONSTANT, STEP, COSINE, ONECYCLE, ONECYCLE_LINEAR = range(5)


def rates(make, lr, steps):
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule, seen = make(opt), []
    for _ in range(steps):
        seen.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return np.array(seen)


def schedule(name, kind, make, lr, steps, per_epoch=1, step_epochs=1, warmup=0, min_lr=0, gamma=0.1, pct=0.3, div=25,
             final_div=1e4):
    numbers = np.array([lr, min_lr, gamma, pct, div, final_div])
    fix.sample("schedules", name, [fix.call("schedule", [kind, steps, per_epoch, step_epochs, warmup], {"numbers": numbers},
                                            {"lr": rates(make, lr, steps)})])


S = torch.optim.lr_scheduler


def warm(opt, warmup, then):
    """Linear warm-up from lr/warmup, then the rest."""
    up = S.LinearLR(opt, 1 / warmup, 1, warmup - 1)
    return S.SequentialLR(opt, [up, then], [warmup])


schedule("constant", CONSTANT, lambda o: S.ConstantLR(o, 1, 0), 0.1, 50)
schedule("warm-up, constant", CONSTANT, lambda o: warm(o, 10, S.ConstantLR(o, 1, 0)), 0.1, 50, warmup=10)
schedule("step", STEP, lambda o: S.StepLR(o, 20, 0.1), 0.1, 100, per_epoch=10, step_epochs=2)
schedule("step, gamma 0.7", STEP, lambda o: S.StepLR(o, 7, 0.7), 0.02, 100, per_epoch=7, gamma=0.7)
schedule("cosine", COSINE, lambda o: S.CosineAnnealingLR(o, 100), 0.1, 100)
schedule("cosine, min_lr", COSINE, lambda o: S.CosineAnnealingLR(o, 100, 0.01), 0.1, 100, min_lr=0.01)
schedule("warm-up, cosine", COSINE, lambda o: warm(o, 10, S.CosineAnnealingLR(o, 90, 0.001)), 0.1, 100, warmup=10,
         min_lr=0.001)
for kind, word in ((ONECYCLE, "cos"), (ONECYCLE_LINEAR, "linear")):
    cycle = lambda o, **k: S.OneCycleLR(o, 0.05, anneal_strategy=word, **k)
    schedule(f"one-cycle, {word}", kind, lambda o: cycle(o, total_steps=101), 0.05, 101)
    schedule(f"one-cycle, {word}, other shape", kind,
             lambda o: cycle(o, total_steps=100, pct_start=0.45, div_factor=10, final_div_factor=300), 0.05, 100,
             pct=0.45, div=10, final_div=300)

# --- losses ---------------------------------------------------------------------------------------------------------------


def loss(name, op, logits, labels, e):
    e = f32(e)
    z = torch.tensor(logits.astype(np.float64), requires_grad=True)
    n, k = z.shape
    if op == "softmax_xent":
        each = F.cross_entropy(z, torch.tensor(labels), reduction="none", label_smoothing=e)
    else:
        t = torch.tensor(labels).double().reshape(n, 1) if k == 1 else F.one_hot(torch.tensor(labels), k).double()
        t = (1 - e) * t + e / max(k, 2)
        f = F.binary_cross_entropy_with_logits if op == "bce_logits" else F.mse_loss
        each = f(z, t, reduction="none").mean(1)
    dz = torch.autograd.grad(each.mean(), z)[0].numpy()
    line = 0.5 if op == "mse" else 0
    pred = (logits[:, 0] > line).astype(np.int32) if k == 1 else logits.argmax(1)
    fix.sample(f"losses, {op}", name, [fix.call(op, [n, k], {"z": logits, "labels": labels},
                                                {"loss": each.detach().numpy(), "dz": dz, "pred": pred}, e)])


for op in ("softmax_xent", "bce_logits", "mse"):
    for n, k in ((1, 2), (7, 3), (32, 10), (5, 100), (9, 1)):
        if op == "softmax_xent" and k == 1:
            continue
        for e in (0, 0.1, 0.5):
            for size in (1, 30):
                logits = (rng.normal(size=(n, k)) * size).astype(np.float32)
                loss(f"{n}x{k}, smoothing {e}, logits of {size}", op, logits, rng.integers(0, max(k, 2), n), e)

# --- scores ---------------------------------------------------------------------------------------------------------------


def scores(name, classes, labels, pred):
    each = rng.uniform(0, 3, labels.size).astype(np.float32)
    every = list(range(classes))
    p, r, f, support = sklearn.metrics.precision_recall_fscore_support(labels, pred, labels=every, zero_division=0)
    # of the classes that occur, as sample or as prediction
    mean = {kind: np.array(sklearn.metrics.precision_recall_fscore_support(labels, pred, average=kind, zero_division=0)[:3])
            for kind in ("macro", "micro", "weighted")}
    hits = int((labels == pred).sum())
    interval = scipy.stats.binomtest(hits, labels.size).proportion_ci(0.95, method="wilson")
    fix.sample("scores", name, [fix.call(
        "scores", [labels.size, classes], {"labels": labels, "pred": pred, "loss": each},
        {"confusion": sklearn.metrics.confusion_matrix(labels, pred, labels=every), "support": support.astype(np.int32),
         "per_class": np.stack([p, r, f], 1), **mean,
         "accuracy": np.array([sklearn.metrics.accuracy_score(labels, pred), *interval]),
         "loss": np.array([each.astype(np.float64).mean()])})])


def guesses(classes, n, right):
    labels = rng.integers(0, classes, n)
    return labels, np.where(rng.uniform(size=n) < right, labels, rng.integers(0, classes, n))


for n, right in ((1000, 0.9), (1000, 0.1), (37, 0.5), (1, 1)):
    scores(f"10 classes, {n} samples, {right} right", 10, *guesses(10, n, right))
scores("2 classes", 2, *guesses(2, 200, 0.7))
scores("all right", 10, *[np.arange(100) % 10] * 2)
scores("all wrong", 4, np.arange(60) % 4, (np.arange(60) + 1) % 4)
labels, pred = guesses(6, 300, 0.6)
scores("a class never predicted", 6, labels, np.where(pred == 3, 0, pred))
labels = np.where(labels == 2, 5, labels)
scores("a class without samples", 6, labels, pred)
scores("a class neither there nor predicted", 6, labels, np.where(pred == 2, 1, pred))

# --- random numbers -------------------------------------------------------------------------------------------------------

MASK = 2**32 - 1


def philox(counters, keys):
    out = np.empty((len(counters), 4), np.uint32)
    for i, (c, k) in enumerate(zip(counters, keys)):
        # randomgen counts up before it draws
        number = (sum(int(v) << 32 * j for j, v in enumerate(c)) - 1) % 2**128
        g = Philox(counter=number, key=sum(int(v) << 32 * j for j, v in enumerate(k)), number=4, width=32)
        out[i] = [int(v) & MASK for v in g.random_raw(4)]
    return out


signed = lambda a: np.ascontiguousarray(a, dtype=np.uint32).view(np.int32)
counters = rng.integers(0, 2**32, (500, 4), dtype=np.uint32)
keys = rng.integers(0, 2**32, (500, 2), dtype=np.uint32)
draws = philox(counters, keys)
# the three answers that Random123 itself publishes
known = [((0,) * 4, (0,) * 2, (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)),
         ((MASK,) * 4, (MASK,) * 2, (0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)),
         ((0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), (0xa4093822, 0x299f31d0),
          (0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1))]
assert (philox([k[0] for k in known], [k[1] for k in known]) == [k[2] for k in known]).all()
fix.sample("random numbers", "Random123's known answers",
           [fix.call("philox", [3], {"counter": signed([k[0] for k in known]), "key": signed([k[1] for k in known])},
                     {"out": signed([k[2] for k in known])})])
fix.sample("random numbers", "500 draws", [fix.call("philox", [500], {"counter": signed(counters), "key": signed(keys)},
                                                    {"out": signed(draws)})])


def mask(n, features, p, node):
    """Dropout as its header words it, with the draws of Random123."""
    seed, step, purpose = 0x0123456789abcdef, 41, 4
    ids = rng.integers(0, 60000, n).astype(np.int32)
    blocks = (features + 3) // 4
    c = np.array([[b, i, step, purpose | node << 8] for i in ids for b in range(blocks)], dtype=np.uint32)
    words = philox(c, [(seed & MASK, seed >> 32)] * len(c)).reshape(n, blocks * 4)[:, :features]
    threshold = round(p * 2**32)
    x = (rng.integers(-64, 65, (n, features)) / 16).astype(np.float32)
    scale = f32(1 / (1 - p))
    y = np.where(words < threshold, 0, x.astype(np.float64) * scale)
    numbers = [seed & MASK, seed >> 32, step, node]
    fix.sample("random numbers", f"dropout {p}, {n}x{features}", [fix.call(
        "dropout", [n, features], {"x": x, "dy": x, "ids": ids, "numbers": np.array(numbers, dtype=np.float64)},
        {"y": y, "dx": y}, p)])


mask(3, 37, 0.5, 2)
mask(8, 64, 0.25, 7)
mask(2, 5, 0.9, 0)

# --- whole runs -----------------------------------------------------------------------------------------------------------


def idx(name):
    with gzip.open(os.path.join(DATA, name), "rb") as f:
        raw = f.read()
    rank = raw[3]
    dims = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(dims)


IMAGES, LABELS = idx("train-images-idx3-ubyte.gz"), idx("train-labels-idx1-ubyte.gz")
nn = torch.nn


def whole_run(name, model, net, kind, lr, mu=0.0, smoothing=0.0, resident=0, seed=5, batch=32, steps=20):
    lr, mu, smoothing = map(f32, (lr, mu, smoothing))
    torch.manual_seed(seed)
    net = net()
    start = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
    order = torch.cat([torch.randperm(len(IMAGES)) for _ in range(steps * batch // len(IMAGES) + 1)])[:steps * batch]
    net.double()
    # betas and eps as cuglyph keeps them
    opt = torch.optim.Adam(net.parameters(), lr, (f32(0.9), f32(0.999)), f32(1e-8)) if kind == ADAM else \
        torch.optim.SGD(net.parameters(), lr, mu)
    losses = []
    for at in order.reshape(steps, batch):
        x = torch.tensor(IMAGES[at]).double().div(255).unsqueeze(1)
        out = F.cross_entropy(net(x), torch.tensor(LABELS[at]).long(), label_smoothing=smoothing)
        opt.zero_grad()
        out.backward()
        opt.step()
        losses.append(out.item())
    sums = np.array([start.double().sum().item(), start.double().abs().sum().item()])
    fix.sample("whole runs", name, [fix.call(
        "run", [model, seed, batch, steps, kind, resident], {"order": order.numpy(), "numbers": np.array([lr, mu, smoothing])},
        {"loss": np.array(losses), "start": sums})])
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}")


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn_d():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10))


class ManyOps(nn.Module):
    """runs.c has the same net as a spec: every layer that the two above lack."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bias = nn.Parameter(torch.empty(8, 1, 1).uniform_(-1 / 3, 1 / 3))  # as conv1's own
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.conv3, self.fc = nn.Conv2d(8, 4, 1), nn.Linear(12 * 49, 10)

    def forward(self, x):
        x = F.leaky_relu(self.conv1(F.avg_pool2d(x, 2)) + self.bias, f32(0.3))
        x = torch.tanh(self.conv2(x)) + x
        x = torch.cat([torch.sigmoid(self.conv3(x)), F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)], 1)
        return self.fc(F.relu(F.max_pool2d(x, 2)).flatten(1))


whole_run("mlp, momentum", 0, mlp, MOMENTUM, 0.05, mu=0.9)
whole_run("mlp, adam, smoothing, data set held", 0, mlp, ADAM, 0.001, smoothing=0.1, resident=1)
whole_run("cnn-d, adam", 1, cnn_d, ADAM, 0.001)
whole_run("many ops, sgd", 2, ManyOps, SGD, 0.1)

fix.save(OUT)
