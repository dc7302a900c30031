"""Optimisers, losses and learning-rate schedules."""
