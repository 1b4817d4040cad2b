"""The in-process engine, on PyTorch and Transformers."""
