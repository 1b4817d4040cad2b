"""The public Python interface: what `argo_ml.sweep` and its like call and return."""

from argo_ml.interface.notebook import bar_type

# Before other libraries import the same, which warns in notebooks without ipywidgets.
bar_type()
