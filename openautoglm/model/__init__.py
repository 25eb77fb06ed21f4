"""The model: config, backbone, graph encoder, fusion, task adapters, and the checkpoint that holds them."""
