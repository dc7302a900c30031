"""striate lab: the articles as one page that answers, on one's own images and network.

lab_page     the page: its parts put together, and written as one file
lab_data     what the page is given: images, a network, what Python computed
web          the page itself: `core` (rooms, addresses, texts), `maths` (pure functions, which Node
             runs as well), `parts` (what several rooms show), `rooms`, and `texts`
"""

from __future__ import annotations
