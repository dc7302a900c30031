"""One training by many: sums whose bits do not depend on who computes their parts.

sum_tree   adds vectors in the order of a tree over their places
"""

from __future__ import annotations
