"""One training by many processes, the ranks, to the same bits whatever their number.

sum_tree      adds vectors in the order of a tree over their places
shared_sum    the same over ranks, each of which has some of the vectors
exchange      how ranks talk to each other
alone         one rank
from_first    what one rank finds out, for all
agree         whether all have the same, and which has not
"""

from __future__ import annotations
