from __future__ import annotations

import os

import pytest

from argo_ml.library_settings import ENVIRONMENT, OWN, is_own, set_library_defaults


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*ENVIRONMENT, "PYTORCH_CUDA_ALLOC_CONF", OWN):
        # Set first, so that what the test leaves behind is taken back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def test_gpu_memory_can_be_used_by_batches_of_another_size(unset: pytest.MonkeyPatch) -> None:
    set_library_defaults()
    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"


@pytest.mark.parametrize("name", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"])
def test_what_the_user_set_for_it_stays(unset: pytest.MonkeyPatch, name: str) -> None:
    unset.setenv(name, "max_split_size_mb:128")
    set_library_defaults()
    assert os.environ[name] == "max_split_size_mb:128"
    assert os.environ.get("PYTORCH_ALLOC_CONF") != "expandable_segments:True"


def test_what_the_user_set_is_told_from_what_was_set_here(unset: pytest.MonkeyPatch) -> None:
    unset.setenv("TOKENIZERS_PARALLELISM", ENVIRONMENT["TOKENIZERS_PARALLELISM"])
    for _ in range(2):  # In a process, and in one that inherits its environment.
        set_library_defaults()
        assert is_own("PYTORCH_ALLOC_CONF")
        assert not is_own("TOKENIZERS_PARALLELISM")
    unset.setenv("PYTORCH_ALLOC_CONF", "max_split_size_mb:128")
    assert not is_own("PYTORCH_ALLOC_CONF")
