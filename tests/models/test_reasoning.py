from __future__ import annotations

import pytest

from argo_ml.models.reasoning import closed, is_unfinished, without_reasoning


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Red.", "Red."),
        (" Red.\n", "Red."),
        ("<think>\nObjects are red.\n</think>\n\nRed.", "Red."),
        ("<think></think>Red.", "Red."),
        ("\n<THINK>a</THINK> Red.", "Red."),
        ("It opened in the prompt.</think>\nRed.", "Red."),
        ("<think>a</think><think>b</think>Red.", "Red."),
        ("<thinking>a</thinking>Red.", "Red."),
        ("<think>a</think>", ""),
        ("<think>\nObjects are", ""),
        ("[THINK]Objects are red.[/THINK]\n\nRed.", "Red."),
        ("<seed:think>Objects are red.</seed:think>Red.", "Red."),
        ("<|START_THINKING|>Objects", ""),
        ("<think>a</think><think>b", ""),
        ("", ""),
    ],
)
def test_reply_stands_after_the_last_reasoning(text: str, reply: str) -> None:
    assert without_reasoning(text) == reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<think>\nlet me", True), ("<think>a</think>", False), ("I <think> so", False), ("", False)],
)
def test_reasoning_without_an_end_is_unfinished(text: str, expected: bool) -> None:
    assert is_unfinished(text) is expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("<assistant><think>\n", "<assistant><think>\n\n</think>\n\n"),
        ("<assistant><Thinking>", "<assistant><Thinking>\n\n</Thinking>\n\n"),
        ("Is <think> a tag?<assistant>", "Is <think> a tag?<assistant>"),
        ("<think>a</think>\n", "<think>a</think>\n"),
        (
            "<seed:bos>assistant\n<seed:think>",
            "<seed:bos>assistant\n<seed:think>\n\n</seed:think>\n\n",
        ),
        ("[/INST][THINK]", "[/INST][THINK]\n\n[/THINK]\n\n"),
        ("<|start|>assistant", "<|start|>assistant<|channel|>final<|message|>"),
        (
            "<|start|>assistant<|channel|>analysis<|message|>",
            "<|start|>assistant<|channel|>analysis<|message|><|end|>"
            "<|start|>assistant<|channel|>final<|message|>",
        ),
        ("<|start|>assistant<|channel|>final<|message|>",) * 2,
    ],
)
def test_reasoning_that_a_prompt_opens_is_closed(prompt: str, expected: str) -> None:
    assert closed(prompt) == expected
