"""Text of any common encoding is decoded, declared or not."""

from __future__ import annotations

import pytest

from apps.knowledge.parsing.by_type import parse_by_type
from apps.knowledge.parsing.decoding import decode

ARABIC = (
    "مرحبا بكم في متجرنا. نحن مفتوحون من الأحد إلى الخميس من الساعة التاسعة صباحا. "
    "يمكنكم إرجاع المنتجات خلال ثلاثين يوما."
)
JAPANESE = "当店へようこそ。営業時間は月曜日から金曜日の午前9時から午後5時までです。"
RUSSIAN = "Добро пожаловать в наш магазин. Мы работаем с понедельника по пятницу."
GERMAN = "Größe: Übermaß – für 5 €."
TEXTS = [
    ("windows-1256", ARABIC),
    ("shift_jis", JAPANESE),
    ("euc-jp", JAPANESE),
    ("iso-2022-jp", JAPANESE),
    ("windows-1251", RUSSIAN),
    ("gb18030", "欢迎光临本店。营业时间为周一至周五上午九点至下午五点。"),
    ("big5", "歡迎光臨本店。營業時間為週一至週五上午九點至下午五點。"),
    ("cp949", "저희 가게에 오신 것을 환영합니다. 영업시간은 월요일부터입니다."),
    ("windows-1252", GERMAN),
    ("utf-8", ARABIC),
    ("utf-8-sig", JAPANESE),
    ("utf-16", JAPANESE),
]


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_undeclared_text_is_decoded(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("place", ["header", "meta", "old meta", "nowhere"])
@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_pages_are_decoded(encoding: str, text: str, place: str) -> None:
    meta = {
        "meta": f"<meta charset={encoding}>",
        "old meta": f'<meta http-equiv=content-type content="text/html; charset={encoding}">',
    }.get(place, "")
    page = f"<!doctype html><html><head>{meta}<title>x</title></head><body><p>{text}</p></body>"
    content_type = f"text/html; charset={encoding}" if place == "header" else "text/html"
    document = parse_by_type(page.encode(encoding), content_type=content_type)
    assert [block.text for block in document.blocks] == [text]


def test_wrong_declaration_is_not_believed() -> None:
    data = JAPANESE.encode()
    assert decode(data, content_type="text/html; charset=iso-8859-1") == JAPANESE
    assert decode(RUSSIAN.encode("cp1251"), content_type="text/plain; charset=x-none") == RUSSIAN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_mark_is_decoded(encoding: str) -> None:
    assert decode("Plain text".encode(encoding)) == "Plain text"


def test_utf_7_is_not_decoded() -> None:
    assert decode(b"+ADw-script+AD4-", content_type="text/html; charset=utf-7").startswith("+ADw")
