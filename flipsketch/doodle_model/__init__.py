"""How the embedded model `doodle` is made: its networks, its training data, its release."""
