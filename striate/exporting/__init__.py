"""Networks for other programs to run.

own_layers        which layers can be written
onnx_export       one ONNX file of a network: its input, preprocessing, output and metadata
onnx_network      all layers of a network, in the order and layout of ONNX
onnx_elementwise, onnx_windows, onnx_features, onnx_merges
                  how each layer is written
onnx_graph        nodes and weights while they are written
onnx_pipelines    estimators inside a pipeline of scikit-learn
torch_module      a network as a module of PyTorch, and its weights back
torch_network     all layers of a network, channels-first
torch_elementwise, torch_windows, torch_features
                  how each layer is written
torch_graph       calls, modules and weights while they are written
torch_weights     where each weight is in the state dict, and in which layout
torch_names       what modules are called
"""
