"""Step 2 of a plan, lowering: each operation becomes loop nests in stages."""
