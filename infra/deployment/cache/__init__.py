"""The cache, its users, and who may log in as which."""
