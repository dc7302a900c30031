"""Step 5 of a plan, measurement: what was decided and why, how fast it is, what is faster."""
