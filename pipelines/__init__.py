"""What runs where and what lands on disk: the only code that imports Ray."""
