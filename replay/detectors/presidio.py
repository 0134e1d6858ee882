"""Presidio's recognisers that need no model: patterns with checks and context, and telephone numbers.

An extra: `pip install 'evidence-ledger[presidio]'`. It is imported when the first text is read and not before. Nothing
is fetched: spaCy's blank pipeline holds the words, and domains are checked by the suffix list that tldextract brings.
Without a model no names are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import metadata
from typing import Any, Final

from ledger.errors import ConfigError
from replay.detectors.values import Found

LANGUAGE: Final = "en"
"""Of the pipeline alone. Recognisers of every country and language are used, each with its own context words."""
CORE: Final = 3584
MARGIN: Final = 256
"""Characters of a piece, and those read before and after it: some patterns take more than linear time in long texts."""
SCORE: Final = 0.4
"""The lowest score that counts: that of a weak pattern beside a word that speaks for it, as Presidio gives it."""
_SAME: Final = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IBAN_CODE": "iban", "CREDIT_CARD": "card"}
_PACKAGES: Final = ("presidio-analyzer", "spacy", "phonenumbers", "tldextract")
_WORD: Final = re.compile(r"(?P<word>\w+|[^\w\s]|\s)(?P<space> ?)")
_MISSING: Final = "Install it: pip install 'evidence-ledger[presidio]'"


def type_of(entity: str) -> str:
    """The type of identifier that an entity is: that of the built-in detector, or its own name in small letters."""
    return _SAME.get(entity, entity.lower())


def versions(name: str) -> list[str]:
    """Of each package on which it depends what is found, ``package==version``. Raises ConfigError if one is missing."""
    try:
        return [f"{package}=={metadata.version(package)}" for package in _PACKAGES]
    except metadata.PackageNotFoundError:
        raise ConfigError(f"detector {name} needs Presidio, which is not installed", hint=_MISSING) from None


def finder(name: str, entities: Sequence[str]) -> Callable[[Sequence[str]], Iterator[list[Found]]]:
    """What finds entities in texts. Raises ConfigError, when the first text is read, for one that needs a model."""
    wanted = sorted(set(entities))

    @cache
    def analyzer() -> Any:
        return _analyzer(name, wanted)

    def find(texts: Sequence[str]) -> Iterator[list[Found]]:
        for text in texts:
            yield list(_found(analyzer(), text, wanted))

    return find


def _found(analyzer: Any, text: str, entities: list[str]) -> Iterator[Found]:
    clean = text.encode("utf-8", "replace").decode()
    pipeline = analyzer.nlp_engine.get_nlp(LANGUAGE)
    for core in range(0, len(clean), CORE):
        first = max(core - MARGIN, 0)
        with pipeline.memory_zone():  # spaCy would keep every word that it has seen
            results = analyzer.analyze(clean[first : core + CORE + MARGIN], language=LANGUAGE, entities=entities)
        for item in sorted(results, key=lambda item: (item.start, item.end, item.entity_type)):
            start, end = first + item.start, first + item.end
            if core <= start < core + CORE:
                yield type_of(item.entity_type), text[start:end], start, end


def _analyzer(name: str, entities: list[str]) -> Any:
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ImportError as error:
        raise ConfigError(f"detector {name} needs Presidio: {error}", hint=_MISSING) from None
    recognizers = [item for item in _recognizers() if not set(entities).isdisjoint(item.supported_entities)]
    unknown = set(entities).difference(*(item.supported_entities for item in recognizers))
    if unknown:
        raise ConfigError(
            f"detector {name}: Presidio has no recogniser without a model for {', '.join(sorted(unknown))}",
            hint="Names of people and places need a model; search for the names that you know with --search.",
        )
    pipeline = spacy.blank(LANGUAGE)
    pipeline.tokenizer = _tokenizer(pipeline.vocab)
    engine = SpacyNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "blank"}])
    engine.nlp = {LANGUAGE: pipeline}  # an engine that has a pipeline loads none
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[LANGUAGE])
    return AnalyzerEngine(
        registry=registry, nlp_engine=engine, supported_languages=[LANGUAGE], default_score_threshold=SCORE
    )


def _tokenizer(vocabulary: Any) -> Callable[[str], Any]:
    """What makes words of a text, for the context. spaCy's own takes a second for 4 KB of exclamation marks.

    Every word is its own lemma: without lemmas no context word would be seen.
    """
    from spacy.tokens import Doc

    def tokens(text: str) -> Any:
        matches = list(_WORD.finditer(text))
        words = [match["word"] for match in matches]
        spaces = [bool(match["space"]) for match in matches]
        return Doc(vocabulary, words=words, spaces=spaces, lemmas=[word.lower() for word in words])

    return tokens


def _recognizers() -> Iterator[Any]:
    """All that work by patterns, and those of telephone numbers; that of e-mail addresses without a network."""
    from presidio_analyzer import PatternRecognizer, predefined_recognizers
    from tldextract import TLDExtract

    domain = TLDExtract(cache_dir=None, suffix_list_urls=())
    kinds = (PatternRecognizer, predefined_recognizers.PhoneRecognizer)
    for name in sorted(vars(predefined_recognizers)):
        made = getattr(predefined_recognizers, name)
        if isinstance(made, type) and issubclass(made, kinds):
            recognizer: Any = made(supported_language=LANGUAGE)
            if isinstance(recognizer, predefined_recognizers.EmailRecognizer):
                recognizer.validate_result = lambda text: domain(text).fqdn != ""
            yield recognizer
