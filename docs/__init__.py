"""The documentation; `python -m docs.generate` writes the pages of optimizers and schedules."""
