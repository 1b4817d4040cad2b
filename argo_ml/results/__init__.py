"""What a question, a cell and a sweep came to."""
