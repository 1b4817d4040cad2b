"""What a person would say of answers: the verdicts of ``scorer=auto``."""

# ruff: noqa: RUF001

from __future__ import annotations

import pytest

from argo_ml.datasets.grading import scorer_named

Case = tuple[str | list[str], str]

RIGHT: list[Case] = [
    # Case, articles, punctuation, several golds, sentences.
    ("George Orwell", "george orwell"),
    ("George Orwell", "It was written by George Orwell."),
    (["Eric Blair", "George Orwell"], "The author is George Orwell (Eric Arthur Blair)."),
    ("The Great Gatsby", "Great Gatsby"),
    ("Great Gatsby", "It is called «The Great Gatsby»."),
    ("Belize Dollar", "The currency of that country is the Belize dollar."),
    ("U.S.", "It happened in the US."),
    ("U.S.A.", "USA"),
    ("J. K. Rowling", "J.K. Rowling wrote it"),
    ("well-being", "wellbeing"),
    ("New York", "New-York"),
    ("Saxe-Coburg", "the house of Saxe Coburg"),
    ("McDonald's", "It was McDonalds."),
    ("George Orwell", "It is George Orwell's novel."),
    ("the Beatles", "The Beatles' last album"),
    ("Johnson & Johnson", "Johnson and Johnson"),
    ("AT&T", "ATT"),
    ("Paris", "**Paris**"),
    ("Paris", "Paris/France"),
    ("Paris", "It is Paris.The capital lies on the Seine."),
    ("Vitamin A", "vitamin a"),
    ("A", "A"),
    ("A", "The answer is A."),
    ("It", "The novel is It."),
    ("WHO", "the WHO says so"),
    ("The Who", "It was The Who."),
    # Unicode.
    ("cafe\u0301 cre\u0300me", "It is a caf\u00e9 cr\u00e8me."),
    ("Flann O’Brien", "Flann O'Brien wrote it."),
    ("O'Brien", "OBrien"),
    ("Straße", "In der STRASSE."),
    ("Δέλτα", "ΔΈΛΤΑ"),
    ("İstanbul", "Istanbul"),
    ("ﬁre", "fire"),
    ("12", "１２日です。"),
    ("12", "١٢ يوما"),
    ("हिन्दी", "यह हिन्दी है।"),
    ("H2O", "H₂O"),
    ("zero width", "zero\u200bwidth"),
    ("soft hyphen", "soft hy\u00adphen"),
    ("Москва", "Ответ: Москва."),
    # Scripts that put no space between words.
    ("北京", "答案是北京市。"),
    ("東京", "それは東京です。"),
    ("서울", "답은 서울입니다."),
    ("กรุงเทพ", "คำตอบคือกรุงเทพมหานคร"),
    # Numbers.
    ("1,000", "There are 1000 of them."),
    ("6993000", "The answer is 6,993,000."),
    ("6,993,000", "6 993 000 people"),
    ("6,993,000", "6.993.000"),
    ("6,993,000", "6'993'000"),
    ("1234567", "12,34,567"),
    ("3.14", "3,14"),
    ("3.5", "The answer is 3.5."),
    ("0.5", "It is .5"),
    ("2.50", "$2.5"),
    ("1.0", "1"),
    ("−5", "It is -5 degrees."),
    ("-5", "minus 5 degrees"),
    ("-5", "It is –5 °C"),
    ("1,500,000", "1.5 million"),
    ("€1.5 million", "about 1.5 million euros"),
    ("$5 million", "$5m"),
    ("5%", "5 percent"),
    ("5 per cent", "It is 5%"),
    ("$5", "5 dollars"),
    ("10 dollars", "$10"),
    ("38 km/h", "38km/h"),
    ("38km/h", "It ran at 38 km/h."),
    ("18.4 kilograms", "It weighs 18.4kilograms"),
    ("100 m2", "100m²"),
    ("May 5th", "on May 5"),
    ("5", "It is a 5-year plan."),
    ("1990-1995", "from 1990 – 1995"),
    ("09:30", "at 9:30 am"),
    ("1.10", "Version 1.10 it is."),
    ("E = mc^2", "E=mc²"),
    ("1/2", "½"),
    ("AC/DC", "ACDC"),
    ("Jean-Paul Sartre", "Jean Paul Sartre"),
    ("1990s", "the 1990's"),
    ("5G", "a 5G network"),
    ("1945", "It ended in 1945, not before."),
    # Symbols that belong to a word.
    ("C++", "It is written in C++."),
    ("C#", "c# and nothing else"),
    (".NET", "The .NET framework"),
    ("A+", "The grade was A+."),
    ("+", "The operator is +."),
    ("👍", "👍 great"),
    # Yes and no.
    ("yes", "Yes, because it is known."),
    ("yes", "yes it is"),
    ("no", "No."),
    ("no", "No, it is not."),
    ("no", "No it does not"),
    ("no", "The answer is no."),
    ("no", "**Answer:** No"),
    ("yes", "According to the text, yes."),
    ("yes", "The final answer is: Yes"),
    ("no", "I would say no"),
    ("no", "Yes or no? The answer is no."),
    ("no", "No significant difference was found."),
    ("no", "No — it is safe."),
    ("no", "Nope"),
    ("maybe", "Maybe."),
    ("true", "The statement is true."),
    ("false", "It is not true."),
    ("нет", "Нет, это не так."),
    ("да", "Ответ: да"),
    ("是", "是的，没错。"),
]

WRONG: list[Case] = [
    ("Paris", "I do not know"),
    ("George Orwell", "George Eliot"),
    ("Ana", "Mañana."),
    ("Ana", "Banana"),
    ("нет", "Интернет."),
    ("Рим", "Крым"),
    ("The The", "I do not know."),
    ("A", "It is a dog."),
    ("I", "I think it is iron."),
    ("It", "I think it is Carrie."),
    ("WHO", "a person who knows"),
    ("Vitamin A", "vitamin C"),
    ("smoker", "He is a non-smoker."),
    ("Don", "I don't know."),
    ("4", "There are 14 of them"),
    ("3.14", "It is 314."),
    ("314", "It is 3.14."),
    ("1.0", "The mass is 10 kg."),
    ("-5", "It is 5 degrees."),
    ("5", "It is -5 degrees."),
    ("18.4 kilograms", "184 kilograms"),
    ("18.4 kilograms", "18.4 grams"),
    ("1.10", "Version 11.0 it is."),
    ("v1.10", "v11.0"),
    ("1.2", "1.2.3"),
    ("2-12", "On 21-2."),
    ("10-12", "1012"),
    ("10", "at 10:30"),
    ("€1.5 million", "€15 million"),
    ("10", "10 million people"),
    ("10", "$10bn"),
    ("$5", "€5"),
    ("5%", "$5"),
    ("1,000", "1"),
    ("102", "10²"),
    ("1/2", "12"),
    ("3", "in 3D"),
    ("15", "1,5"),
    ("3:30", "at 15:30"),
    ("Niger", "Nigeria"),
    ("Guinea", "Guinea-Bissau"),
    ("1", "World War II"),
    ("F", "F#"),
    ("1990", "in the 1990s"),
    ("19", "COVID-19"),
    ("C++", "It is written in C."),
    ("C", "It is written in C++."),
    ("C#", "C"),
    (".NET", "a fishing net"),
    ("A+", "The grade was A."),
    ("O+", "O-"),
    ("+", "anything"),
    ("no", "Yes, there is no danger."),
    ("no", "There is no answer."),
    ("no", "No answer can be given."),
    ("no", "No one knows."),
    ("no", "No relevant information is given."),
    ("no", "No doubt it is."),
    ("no", "The answer is no longer known."),
    ("no", "It is unknown."),
    ("yes", "No, yes-men are bad."),
    ("yes", "The answer is no."),
    ("yes", "I cannot say yes or no."),
    ("no", "It is either yes or no"),
    ("maybe", "Yes, maybe in some cases."),
    ("true", "It is not true."),
    ("是", "不是。"),
]


def _golds(gold: str | list[str]) -> list[str]:
    return [gold] if isinstance(gold, str) else gold


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_a_right_answer(gold: str | list[str], answer: str) -> None:
    assert scorer_named("auto")(answer, _golds(gold))


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_a_wrong_answer(gold: str | list[str], answer: str) -> None:
    assert not scorer_named("auto")(answer, _golds(gold))


@pytest.mark.parametrize("gold", [gold for gold, _ in RIGHT])
def test_a_gold_answer_is_right_by_itself(gold: str | list[str]) -> None:
    assert scorer_named("auto")(_golds(gold)[0], _golds(gold))


@pytest.mark.parametrize("answer", ["It is 5.", "5", "5 %"])
def test_a_percent_sign_may_be_left_out(answer: str) -> None:
    assert scorer_named("auto")(answer, ["5%"])
