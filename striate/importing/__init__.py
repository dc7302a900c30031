"""Networks of other libraries, as networks of striate.

axis_view      how the axes of a foreign tensor lie in a value of striate
graph_writer   collects layers and their weights, and makes the network
"""
