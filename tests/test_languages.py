"""Which language a tag or a name means, and what a catalogue needs: one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.alerts.languages import Language, Languages
from bot.catalogues import read_languages

PORTUGUESE = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "No such alert."
msgstr "Não há esse alerta."

#, python-brace-format
msgid "{count} alert"
msgid_plural "{count} alerts"
msgstr[0] "um alerta"
msgstr[1] "{count} alertas"
"""

CHINESE = Languages((Language("zh-Hans", "简体中文"),))
BOTH = Languages((Language("zh-Hans", "简体中文"), Language("zh-Hant", "繁體中文")))


def test_a_language_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "pt-BR.po").write_text(PORTUGUESE, encoding="utf-8")
    languages = read_languages(tmp_path)
    assert [(one.tag, one.name) for one in languages] == [("en", "English"), ("pt-BR", "Português (Brasil)")]
    tr = languages.translator("pt", "UTC")
    assert tr("No such alert.") == "Não há esse alerta."
    assert [tr.many("{count} alert", "{count} alerts", count) for count in (1, 1234)] == [
        "um alerta",
        "1.234 alertas",
    ]
    assert tr("Said nowhere yet.") == "Said nowhere yet."


def test_what_a_language_lacks_is_said_in_english_and_the_rest_is_not(tmp_path: Path) -> None:
    lacking = PORTUGUESE + '\nmsgid "Not translated: {name}."\nmsgstr ""\n'
    (tmp_path / "pt-BR.po").write_text(lacking, encoding="utf-8")
    tr = read_languages(tmp_path).translator("pt-BR", "UTC")
    assert tr("Not translated: {name}.", name="btc") == "Not translated: btc."
    assert tr("No such alert.") == "Não há esse alerta."


@pytest.mark.parametrize(
    "text", ["zh-hans", "zh-CN", "zh", "zh_CN", "zh-TW", "zh-HK", "ZH-Hant-TW", "简体中文"]
)
def test_every_chinese_is_led_to_the_one_there_is(text: str) -> None:
    found = CHINESE.find(text)
    assert found is not None
    assert found.tag == "zh-Hans"


@pytest.mark.parametrize(("text", "tag"), [("zh-TW", "zh-Hant"), ("zh_HK", "zh-Hant"), ("zh", "zh-Hans")])
def test_a_country_is_led_to_its_script_once_there_is_one(text: str, tag: str) -> None:
    found = BOTH.find(text)
    assert found is not None
    assert found.tag == tag


@pytest.mark.parametrize("text", ["en", "en-GB", "English", "EN_us"])
def test_english_is_always_there(text: str) -> None:
    found = CHINESE.find(text)
    assert found is not None
    assert found.tag == "en"


@pytest.mark.parametrize("text", ["", "klingon", "tlh", "-", "z"])
def test_what_is_no_language_is_none_and_speaks_english(text: str) -> None:
    assert CHINESE.find(text) is None
    assert CHINESE.translator(text, "UTC").language == "en"


@pytest.mark.parametrize(
    "text", ["pt-br", "português (brasil)", "Portuguese", "brazilian portuguese", "pt_PT"]
)
def test_a_language_is_found_by_its_names_in_itself_and_in_english(text: str, tmp_path: Path) -> None:
    (tmp_path / "pt-BR.po").write_text(PORTUGUESE, encoding="utf-8")
    found = read_languages(tmp_path).find(text)
    assert found is not None
    assert found.tag == "pt-BR"
