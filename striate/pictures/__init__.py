"""Pictures from files to files, all their pixels kept: 16 bits, alpha, animations, pages, profiles.

`read_picture` gives the pixels upright; `write_picture` writes them in the format that the name's
ending tells. (Images for networks, which all become one size and 8 bits, are read by
`striate.data`.)
"""

from striate.pictures.picture import Picture
from striate.pictures.reading import grace_hopper, read_picture
from striate.pictures.writing import check_output, write_picture

__all__ = ["Picture", "check_output", "grace_hopper", "read_picture", "write_picture"]
