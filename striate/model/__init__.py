"""A network as data: its graph, its numbers, its preprocessing, and the file that holds them."""
