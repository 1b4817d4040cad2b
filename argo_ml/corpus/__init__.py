"""Documents as passages in an index, and the retriever that finds them."""

from argo_ml.corpus.base import Retriever
from argo_ml.corpus.opening import Corpus, open_corpus
from argo_ml.corpus.rejected import RejectedFile
from argo_ml.types import Document

__all__ = ["Corpus", "Document", "RejectedFile", "Retriever", "open_corpus"]
