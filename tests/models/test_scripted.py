from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models import load_model
from argo_ml.models.base import Generation, Prompt, Scoring
from argo_ml.models.scripted import Rule, ScriptedModel, Table
from argo_ml.testing.models import LanguageModelSuite
from argo_ml.types import TokenDetail

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


def test_tables_without_newer_fields_keep_their_identity() -> None:
    rules = [Rule(contains="a", completion="b"), Rule(regex="c", choice=1)]
    by_hash = "c864c4c353c03fa49d1b779e031c1b529e07c1cc34dcdb4697145c99c44b4939"
    by_rules = "2225c08bba0e5151df46550b74913ca1a98246c4752af0e6b38675e0bfc02a73"
    assert ScriptedModel(Table(default="hash")).identity == f"scripted {by_hash}"
    assert ScriptedModel(Table(rules=rules)).identity == f"scripted {by_rules}"


@pytest.mark.parametrize(
    "changes", [{"token_probability": 0.5}, {"samples": ["c"]}, {"choice": 0, "certainty": 0.5}]
)
def test_newer_fields_are_part_of_the_identity_where_used(changes: dict[str, Any]) -> None:
    plain = Table(rules=[Rule(contains="a", completion="b")])
    used = Table(rules=[Rule(contains="a", completion="b", **changes)])
    assert ScriptedModel(used).identity != ScriptedModel(plain).identity


def tell(model: ScriptedModel, user: str, **changes: Any) -> tuple[TokenDetail, ...]:
    return model.generate([Generation(prompt(user), 10, details=True, **changes)])[0].tokens


def test_words_have_the_probability_of_their_rule() -> None:
    rules = [Rule(contains="Peru", completion="Lima it is", token_probability=0.8)]
    first, second, third = tell(ScriptedModel(Table(rules=rules)), "Peru")
    assert (first.text, second.text, third.text) == ("Lima ", "it ", "is")
    assert first.log_probability == pytest.approx(-0.2231, abs=1e-4)
    assert first.entropy == pytest.approx(0.5004, abs=1e-4)
    assert first.gap == pytest.approx(1.3863, abs=1e-4)


def test_words_without_a_probability_have_that_of_the_table() -> None:
    rule = Rule(contains="Peru", completion="Lima")
    [by_default] = tell(ScriptedModel(Table(rules=[rule])), "Peru")
    [by_table] = tell(ScriptedModel(Table(rules=[rule], token_probability=0.25)), "Peru")
    assert math.exp(by_default.log_probability) == pytest.approx(0.9)
    assert math.exp(by_table.log_probability) == pytest.approx(0.25)
    assert by_table.gap == pytest.approx(math.log(3))


def test_a_certain_word_has_no_entropy() -> None:
    rules = [Rule(contains="Peru", completion="Lima", token_probability=1)]
    [token] = tell(ScriptedModel(Table(rules=rules)), "Peru")
    assert token == TokenDetail("Lima", 0.0, 0.0, math.inf)


def test_probabilities_of_words_differ_by_hash() -> None:
    model = ScriptedModel(Table(default="hash"))
    probabilities = {
        token.log_probability for n in range(10) for token in tell(model, f"question {n}")
    }
    assert len(probabilities) == 20


def draw(model: ScriptedModel, user: str, seed: int) -> str:
    return model.generate([Generation(prompt(user), 10, temperature=0.7, seed=seed)])[0].text


def test_seeds_count_off_samples() -> None:
    rules = [Rule(contains="Peru", completion="Lima", samples=["Lima", "Cusco", "Quito"])]
    model = ScriptedModel(Table(rules=rules))
    assert [draw(model, "Peru", seed) for seed in range(4)] == ["Lima", "Cusco", "Quito", "Lima"]
    assert complete(model, "Peru") == "Lima"


def test_a_rule_without_samples_gives_its_completion_and_one_of_samples_alone_no_other() -> None:
    rules = [Rule(contains="Peru", samples=["Cusco"]), Rule(contains="Peru", completion="Lima")]
    model = ScriptedModel(Table(rules=rules))
    assert draw(model, "Peru", 3) == "Cusco"
    assert complete(model, "Peru") == "Lima"
    assert draw(ScriptedModel(Table(rules=rules[1:])), "Peru", 3) == "Lima"


def test_hash_draws_by_seed() -> None:
    model = ScriptedModel(Table(default="hash"))
    assert len({draw(model, "Peru", seed) for seed in range(5)} | {complete(model, "Peru")}) == 6


def test_certainty_is_the_share_of_the_preferred_choice() -> None:
    rules = [Rule(contains="Peru", choice="Lima", certainty=0.7)]
    request = Scoring(prompt("Peru"), ("Rome the eternal", "Lima", "Paris"))
    [scores] = ScriptedModel(Table(rules=rules)).score([request])
    weights = [math.exp(value) for value in scores.normalised]
    assert [weight / sum(weights) for weight in weights] == pytest.approx([0.15, 0.7, 0.15])


def test_a_single_choice_has_a_score_whatever_the_certainty() -> None:
    rules = [Rule(contains="Peru", choice=0, certainty=0.7)]
    [scores] = ScriptedModel(Table(rules=rules)).score([Scoring(prompt("Peru"), ("Lima",))])
    assert scores.log_likelihoods == pytest.approx([math.log(0.7)])


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
        (
            "rules: [{contains: a, choice: 0, token_probability: 0.5}]",
            r"token_probability=0\.5: give completion as well",
        ),
        (
            "rules: [{contains: a, completion: b, certainty: 0.5}]",
            r"certainty=0\.5: give choice as well",
        ),
        ("rules: [{contains: a, choice: b, certainty: 1}]", "certainty: input should be less"),
        ("token_probability: 2", "token_probability: input should be less"),
        ("rules: [{contains: a, samples: []}]", "samples: list should have at least 1"),
        ("rules: [{contains: 1, completion: b}]", "rules.0.contains: input should be a valid str"),
        ("default: random", "default: input should be 'echo' or 'hash'"),
        ("[1, 2]", "table: input should be a valid dictionary"),
        ("a: [", "not YAML or JSON"),
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
