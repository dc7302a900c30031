"""What a network sees."""

from striate.inspect.reach import reach as reach
