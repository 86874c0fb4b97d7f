"""Vector animations as people have them: found, read, and joined with their prompts."""
