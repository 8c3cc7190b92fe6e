"""trust_region."""
