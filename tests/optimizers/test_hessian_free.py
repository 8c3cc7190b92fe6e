"""hessian_free."""
