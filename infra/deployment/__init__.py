"""The reference deployment: one package for each capability, a stack that wires them together."""
