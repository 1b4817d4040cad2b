"""Documents as passages in an index, and the retriever that finds them.

Nothing is imported here: the process that reads documents needs neither a model nor an index.
"""
