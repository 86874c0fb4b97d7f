"""What `benchmarks/gpu.py` measures, a file for each part, and the rows that it writes."""
