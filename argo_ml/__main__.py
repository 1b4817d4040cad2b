"""``python -m argo_ml``."""

from argo_ml.cli.commands import main

if __name__ == "__main__":
    main()
