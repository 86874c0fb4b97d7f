"""Pictures and pages of a corpus."""
