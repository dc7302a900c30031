"""Networks of other libraries, as networks of striate.

atoms           the pieces that axes are made of
axis_view       how the axes of a foreign tensor lie in a value of striate
sliding_window  windows along the axes of a tensor
node_collector  collects layers and their weights, and makes the network
weight_writer   layers with weights, from those of another library
graph_writer    all layers
"""
