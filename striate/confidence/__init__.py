"""How sure a network is: probabilities from outputs."""
