"""Explanations that compute: worked examples of convolution, checked against the engines.

size_calculator   `striate.size`, the size rule of a window, solved for any of its quantities
size_answer       what it answers
size_volume       depths: channels, filters, O_d
size_windows      where the windows of a size lie, and what they read
size_reason       why the rule holds, in words and lines of text
size_drawing      windows true to size
size_errors       why sizes do not fit, with the rule and its numbers
conversions       `striate.conversions`, one layer written as another
chainrule         `striate.gradients`, the gradients of a convolution term by term
pooling           pooling window by window, for `striate pool`
number_planes     matrices drawn as planes of cells
number_text       matrices and sums as lines of text
given_arrays      checks of what an example is given
derivation        `striate.derive`, from a fully connected layer to a convolution; it uses
                  `conversions`
"""
