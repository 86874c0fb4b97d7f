"""A plan, its shards, what is missing, and what became of them."""
