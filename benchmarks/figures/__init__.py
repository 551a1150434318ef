"""One file for each group of figures that are measured together."""
