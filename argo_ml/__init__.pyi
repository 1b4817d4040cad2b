from argo_ml.errors import ArgoError as ArgoError
from argo_ml.interface.jobs import advise as advise
from argo_ml.interface.jobs import calibrate as calibrate
from argo_ml.interface.jobs import estimate as estimate
from argo_ml.interface.jobs import load_results as load_results
from argo_ml.interface.jobs import publish as publish
from argo_ml.interface.jobs import record as record
from argo_ml.interface.jobs import replay as replay
from argo_ml.interface.jobs import sweep as sweep
from argo_ml.interface.jobs import tune as tune
from argo_ml.recording import Pipeline as Pipeline
from argo_ml.serving.loading import load_policy as load_policy

__version__: str
