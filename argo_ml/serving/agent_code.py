"""The file that MLflow keeps as the code of a published policy (models from code)."""

from mlflow.models import set_model

from argo_ml.serving.agent import PolicyAgent

set_model(PolicyAgent())
