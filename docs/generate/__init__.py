"""Writes the pages of optimizers and schedules, with their figures and the table of what solves what."""
