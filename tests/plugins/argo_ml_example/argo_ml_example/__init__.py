"""One part of each kind that argo_ml takes from other packages."""
