"""From documents, questions and a model to the decision when to retrieve."""
