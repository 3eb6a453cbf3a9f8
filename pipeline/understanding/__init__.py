"""What a sample is, in words: the report, and who may write it. No database."""
