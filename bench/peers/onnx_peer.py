#!/usr/bin/env python3
"""ONNX Runtime: inference of a model written with onnx; on a GPU its tensors stay there (I/O binding)."""
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import peers


def model_of(net, layers):
    nodes, tensors, x = [], [], "x"

    def add(op, inputs, **attributes):
        out = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out

    for i, (w, b) in enumerate(layers):
        tensors += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        if w.ndim == 4:
            x = add("MaxPool", [add("Relu", [add("Conv", [x, f"w{i}", f"b{i}"])])], kernel_shape=[2, 2], strides=[2, 2])
        else:
            x = add("Flatten", [x]) if i == len(net.convs) else x
            x = add("Gemm", [x, f"w{i}", f"b{i}"], transB=1)
            x = add("Relu", [x]) if i + 1 < len(layers) else x
    nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        nodes, net.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [net.batch, 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [net.batch, 10])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


class Work:
    def __init__(self, kind, net, layers, options):
        if kind != "infer":
            raise ValueError("ONNX Runtime is measured at inference alone")
        self.device = options.device
        model = model_of(net, layers)
        self.parameters = sum(int(np.prod(t.dims)) for t in model.graph.initializer)
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads
        providers = ["CPUExecutionProvider"]
        if self.device == "cuda":  # float32 as ours: no TF32
            providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": 0}))
        self.session = ort.InferenceSession(model.SerializeToString(), settings, providers=providers)
        self.last = ort.OrtValue.ortvalue_from_numpy(np.zeros((net.batch, 10), np.float32), self.device)

    def put(self, x, y):
        bound = self.session.io_binding()
        bound.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), self.device))
        bound.bind_ortvalue_output("logits", self.last)
        return bound

    def step(self, batch):
        self.session.run_with_iobinding(batch)

    def wait(self):
        return float(np.abs(self.last.numpy()).mean())


def on(options):
    if options.device == "cuda" and "CUDAExecutionProvider" not in ort.get_available_providers():
        sys.exit("this ONNX Runtime has no CUDA")
    return f"cpu, {options.threads} threads" if options.device == "cpu" else "cuda"


if __name__ == "__main__":
    peers.main(Work, f"ONNX Runtime {ort.__version__}", on)
