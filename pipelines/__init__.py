"""What runs where and what lands on disk; the only code that imports Ray.

A job's own file (`animate.py` for `jobs/animate_manifest.py`) imports nothing heavy at its top, so
that `--help` and a wrong flag are answered at once: torch, diffusers, Ray and what uses them are
imported in the function in which work begins, after all checks that need no model.
"""
