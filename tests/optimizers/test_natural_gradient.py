"""natural_gradient."""
