"""What one looks at, and what wakes one up."""
