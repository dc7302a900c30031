"""What Python gives each room of the lab, JSON-able.

photo                the sample photograph
digit_images         one of each of the handwritten digits
convolution_data     named kernels, for the room of convolution
training_room        a network, its images and its training step, for the room of learning
exercise_sets        sets of exercises, read from TOML files
exercise_options     what an exercise of each kind may say
view_code            one sum as nest, schedule and C
"""

from __future__ import annotations
