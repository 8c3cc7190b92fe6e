"""Statistics: formulas only, arrays in, arrays out."""
