"""From a checkpoint to ONNX: the graph, its weights by reference, parity, int8, and the session that answers."""
