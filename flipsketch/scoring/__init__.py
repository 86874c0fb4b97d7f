"""What a clip is worth: scores, their summary, and selection by them."""
