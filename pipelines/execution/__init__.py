"""What there is to compute with: Ray or this process, workers, and what became of them."""
