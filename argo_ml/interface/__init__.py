"""The public Python interface: what `argo_ml.sweep` and its like call and return."""
