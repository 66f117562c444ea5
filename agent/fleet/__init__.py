"""The fleet: OMEGA's registry of mainframes and its distributions, and the loop by which a mainframe pulls them."""
