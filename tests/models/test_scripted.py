from __future__ import annotations

from pathlib import Path

import pytest
import torch

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models import load_model
from argo_ml.models.base import Generation, Prompt, Scoring
from argo_ml.models.scripted import Rule, ScriptedModel, Table
from argo_ml.testing.models import LanguageModelSuite

CHOICES = ("Lima", "Paris", "Rome")


class TestScriptedByHash(LanguageModelSuite):
    @pytest.fixture
    def model(self) -> ScriptedModel:
        return ScriptedModel(Table(default="hash"))


class TestScriptedByEcho(LanguageModelSuite):
    @pytest.fixture
    def model(self) -> ScriptedModel:
        return ScriptedModel(Table(default="echo"))


def prompt(user: str) -> Prompt:
    return Prompt("Be brief.", user, prefix="Answer:")


def complete(model: ScriptedModel, user: str, max_new_tokens: int = 10) -> str:
    return model.generate([Generation(prompt(user), max_new_tokens)])[0].text


def best(model: ScriptedModel, user: str, choices: tuple[str, ...] = CHOICES) -> int:
    [scores] = model.score([Scoring(prompt(user), choices)])
    return max(range(len(choices)), key=scores.normalised.__getitem__)


def write(folder: Path, text: str) -> Path:
    path = folder / "table.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_first_matching_rule_answers() -> None:
    rules = [Rule(contains="Peru", completion="Lima"), Rule(regex="P.ru", completion="Cusco")]
    model = ScriptedModel(Table(rules=rules))
    assert complete(model, "capital of Peru") == "Lima"
    assert complete(model, "capital of Paru") == "Cusco"


def test_rules_see_system_user_and_prefix() -> None:
    rules = [Rule(regex=r"(?s)Be brief\..*Peru.*Answer:$", completion="Lima")]
    assert complete(ScriptedModel(Table(rules=rules)), "Peru") == "Lima"


def test_completion_rules_do_not_score_and_choice_rules_do_not_complete() -> None:
    rules = [Rule(contains="Peru", completion="Lima"), Rule(contains="Peru", choice="Rome")]
    model = ScriptedModel(Table(rules=rules))
    assert complete(model, "Peru") == "Lima"
    assert best(model, "Peru") == 2


def test_choice_by_text_is_found_wherever_it_was_shuffled_to() -> None:
    model = ScriptedModel(Table(rules=[Rule(contains="Peru", choice="Lima")]))
    assert best(model, "Peru", ("Rome", "Lima")) == 1
    assert best(model, "Peru", ("Lima", "Rome")) == 0


def test_choice_by_index_counts_from_zero() -> None:
    model = ScriptedModel(Table(rules=[Rule(contains="Peru", choice=1)]))
    assert best(model, "Peru") == 1


def test_choice_text_that_is_not_offered_leaves_it_to_the_next_rule() -> None:
    rules = [Rule(contains="Peru", choice="Oslo"), Rule(contains="Peru", choice=2)]
    assert best(ScriptedModel(Table(rules=rules)), "Peru") == 2


def test_choice_index_out_of_range_is_an_error() -> None:
    model = ScriptedModel(Table(rules=[Rule(contains="Peru", choice=3)]))
    with pytest.raises(ModelError, match="choice=3 is not among 3 choices"):
        best(model, "Peru")


def test_unmatched_prompt_is_an_error_that_shows_it() -> None:
    model = ScriptedModel(Table(rules=[Rule(contains="Peru", completion="Lima")]))
    with pytest.raises(ModelError, match=r"ending in 'Be brief\. capital of Chad Answer:'"):
        complete(model, "capital of Chad")
    with pytest.raises(ModelError, match="no rule with a choice"):
        best(model, "capital of Peru")


def test_completion_is_cut_at_stop_and_at_the_limit() -> None:
    rules = [Rule(contains="Peru", completion="one two three four\nfive")]
    model = ScriptedModel(Table(rules=rules))
    assert complete(model, "Peru") == "one two three four"
    assert complete(model, "Peru", max_new_tokens=2) == "one two"


def test_echo_repeats_the_last_line_and_prefers_what_is_mentioned() -> None:
    model = ScriptedModel(Table(default="echo"))
    assert complete(model, "Passages\nParis lies on the Seine") == "Paris lies on the Seine"
    assert best(model, "Passages\nParis lies on the Seine") == 1
    assert best(model, "nothing of the kind") == 0


def test_hash_spreads_its_preferences() -> None:
    model = ScriptedModel(Table(default="hash"))
    counts = [0, 0, 0]
    for number in range(300):
        counts[best(model, f"question {number}")] += 1
    assert min(counts) > 60


def test_identity_is_that_of_the_table_not_of_its_spelling(tmp_path: Path) -> None:
    yaml = write(tmp_path, "# comment\nrules:\n  - {contains: a, completion: b}\n")
    json = tmp_path / "table.json"
    json.write_text('{"rules": [{"contains": "a", "completion": "b"}]}')
    other = ScriptedModel(Table(rules=[Rule(contains="a", completion="c")]))
    assert ScriptedModel.read(yaml).identity == ScriptedModel.read(json).identity
    assert ScriptedModel.read(yaml).identity != other.identity


def test_load_model_sets_the_threads_of_pytorch(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    path = write(tmp_path, "default: echo\n")
    try:
        load_model(ExperimentSpec(model=f"scripted:{path}", threads=before + 1))
        assert torch.get_num_threads() == before + 1
        load_model(ExperimentSpec(model=f"scripted:{path}"))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_load_model_opens_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, "default: echo\n")
    model = load_model(ExperimentSpec(model=f"scripted:{path}"))
    assert model.count_tokens(["two words"]) == [2]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rules: [{contains: a}]", "rules.0: give completion, choice or both"),
        ("rules: [{completion: a}]", "rules.0: give either contains or regex"),
        ("rules: [{contains: a, regex: b, completion: c}]", "rules.0: give either"),
        ("rules: [{regex: '(', completion: c}]", r"rules.0: regex='\(' is not one"),
        ("rules: [{contains: a, complete: b}]", "rules.0.complete: extra inputs"),
        ("rules: [{contains: 1, completion: b}]", "rules.0.contains: input should be a valid str"),
        ("default: random", "default: input should be 'echo' or 'hash'"),
        ("[1, 2]", "table: input should be a valid dictionary"),
        ("a: [", "not JSON or YAML"),
    ],
)
def test_bad_table_is_one_line_with_file_and_field(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        ScriptedModel.read(path)
    assert "table.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read \(No such file"):
        ScriptedModel.read(tmp_path / "none.yaml")
