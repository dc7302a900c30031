"""What teaches: derivations, the chain rule, conversions between layers, the size rule."""
