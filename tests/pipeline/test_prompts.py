import pytest

from argo_ml.pipeline import prompts
from argo_ml.types import Action, Passage, Step

QUESTION = "Which code has the capital of France?"
FOUND = Step("What is the capital?", Action.RETRIEVE, "Paris.", 0.25, 0.1)
FAILED = Step("What is the code?", Action.RETRIEVE, "", 0.25, 0.1, succeeded=False)
PASSAGE = Passage("p", "Paris is the capital.", "France")


def test_system_text_holds_nothing_that_changes() -> None:
    assert prompts.decomposer("a", []).system == prompts.decomposer("b", [FOUND]).system
    assert prompts.reader("a", []).system == prompts.reader("b", [PASSAGE]).system
    assert prompts.reasoner("a", [], "x").system == prompts.reasoner("b", [FOUND], "y").system
    assert prompts.synthesizer("a", [], []).system == prompts.synthesizer("b", [FOUND], []).system


def test_a_longer_history_extends_the_decomposer_prompt_after_what_was_there() -> None:
    shorter = prompts.decomposer(QUESTION, [FOUND]).turn
    longer = prompts.decomposer(QUESTION, [FOUND, FAILED]).turn
    shared = f"Question: {QUESTION}\n\nFacts found so far:\n- What is the capital? Paris.\n"
    assert shorter.startswith(shared)
    assert longer.startswith(shared)


def test_decomposer_is_told_that_nothing_was_found() -> None:
    prompt = prompts.decomposer(QUESTION, [FAILED])
    assert "- What is the code? Nothing was found." in prompt.turn
    assert prompt.prefix == "Next question:"


def test_reader_puts_passages_with_their_titles_before_the_question() -> None:
    user = prompts.reader("What is the capital?", [PASSAGE, Passage("q", "No title.")]).turn
    assert user == (
        "Passages:\nFrance: Paris is the capital.\n\nNo title.\n\nQuestion: What is the capital?"
    )


def test_reasoner_sees_the_history_and_no_passages() -> None:
    user = prompts.reasoner(QUESTION, [FOUND], "What is the code?").turn
    assert user == (
        f"The larger question: {QUESTION}\n\n"
        "Facts found so far:\n- What is the capital? Paris.\n\n"
        "Question: What is the code?"
    )


def test_reasoner_asked_the_question_itself_does_not_see_it_twice() -> None:
    assert prompts.reasoner(QUESTION, [], QUESTION).turn == f"Question: {QUESTION}"


def test_synthesizer_sees_passages_then_facts_then_the_question() -> None:
    user = prompts.synthesizer(QUESTION, [FOUND, FAILED], [PASSAGE]).turn
    assert user == (
        "Passages:\nFrance: Paris is the capital.\n\n"
        "Facts found so far:\n- What is the capital? Paris.\n\n"
        f"Question: {QUESTION}"
    )


def test_synthesizer_without_history_sees_the_question_alone() -> None:
    assert prompts.synthesizer(QUESTION, [], []).turn == f"Question: {QUESTION}"


def test_synthesizer_lists_choices_from_one_with_the_instruction_last() -> None:
    user = prompts.synthesizer(QUESTION, [], [], ["33", "44"]).turn
    assert user.endswith("1. 33\n2. 44\n\nAnswer with the number of the right option only.")


def test_digest_follows_the_wording(monkeypatch: pytest.MonkeyPatch) -> None:
    before = prompts.prompts_digest()
    assert before == prompts.prompts_digest()
    monkeypatch.setattr(prompts, "READER_SYSTEM", "Other words.")
    assert prompts.prompts_digest() != before
