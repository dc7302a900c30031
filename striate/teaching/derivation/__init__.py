"""The derivation of a convolution from a fully connected layer, as running code.

`derive` walks the article *Derivation of Convolutional Neural Network from Fully Connected Network
Step-By-Step* (A. Gad) for any image: neurons that are grouped to share weights, then look at
patches only, and so are a convolution. Reads in this order: `windows` (what fits), `stages` (the
counts), `outputs` (that stages agree), `measure` (what they cost), `walk`, then `text`,
`drawing`, `page` and `files` (how it is shown).
"""

from striate.teaching.derivation.derivation import Derivation, derive
from striate.teaching.derivation.stages import DerivationStage
from striate.teaching.derivation.windows import Windows

__all__ = ["Derivation", "DerivationStage", "Windows", "derive"]
