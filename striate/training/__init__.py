"""Training: losses, optimisers, schedules and the loop that drives them."""
