"""The cache side: the only place that imports redis."""
