"""Questions with the passages that answer them: XQuAD's, or a few of our own.

XQuAD is SQuAD's development set in other languages: 240 paragraphs and 1,190 questions in each, the
same in all. https://github.com/google-deepmind/xquad
"""

import json
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("en", "de", "es", "zh", "ar")
OWN_PASSAGES = Path(__file__).with_name("passages.json")

OTHER_QUESTIONS = (
    *("Thanks a lot, that helped!", "ok", "Hello, who are you?", "Can I talk to a human, please?"),
    *("What is my order status?", "Tell me a joke about cats.", "How do I reset my password?"),
    *("Write a Python function that reverses a list.", "I love you", "asdf qwertz"),
    *("Danke, das war alles.", "Hallo, wie geht es dir?", "Wo ist mein Paket?"),
    *("Wie storniere ich mein Abonnement?", "Kann ich mit einem Menschen sprechen?"),
    *("Gracias, eso es todo.", "Hola, ¿quién eres?", "¿Cómo cancelo mi suscripción?"),
    *("谢谢，再见！", "你好，你是谁？", "我怎么取消订阅？"),
    *("شكرا جزيلا", "مرحبا، من أنت؟", "كيف ألغي اشتراكي؟"),
)
"""What people also say to a chatbot. Neither set of passages answers any of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the number of the passage that answers it."""

    text: str
    passage: int


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Passages, questions about them, and their language; `en←de`: German ones about English."""

    name: str
    passages: tuple[str, ...]
    questions: tuple[Question, ...]


def load_sets(directory: Path | None) -> list[QuestionSet]:
    """XQuAD of a directory with `xquad.LANGUAGE.json`, or our own: each language, then German
    questions about English passages."""
    load = _load_own if directory is None else _load_xquad
    sets = {language: load(language, directory) for language in LANGUAGES}
    english, german = sets["en"], sets["de"]
    across = QuestionSet("en←de", english.passages, german.questions)
    return [*sets.values(), across]


def _load_xquad(language: str, directory: Path | None) -> QuestionSet:
    assert directory is not None
    articles = json.loads((directory / f"xquad.{language}.json").read_text())["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    return QuestionSet(
        language,
        tuple(paragraph["context"] for paragraph in paragraphs),
        tuple(
            Question(each["question"], number)
            for number, paragraph in enumerate(paragraphs)
            for each in paragraph["qas"]
        ),
    )


def _load_own(language: str, _directory: Path | None) -> QuestionSet:
    rows = [row[language] for row in json.loads(OWN_PASSAGES.read_text())]
    return QuestionSet(
        language,
        tuple(row["passage"] for row in rows),
        tuple(Question(row["question"], number) for number, row in enumerate(rows)),
    )
