"""Step 1 of a plan, analysis: what is computed, what is fused, what is only a view."""
