"""What Python gives each room of the lab, JSON-able.

photo             the sample photograph
kernels           named kernels, for the room of convolution
learning          a network, its images, and its training step as WebAssembly
exercise_sets     sets of exercises, read from TOML files
exercise_options  what an exercise of each kind may say
view_code         one sum as nest, schedule and C
"""

from __future__ import annotations
