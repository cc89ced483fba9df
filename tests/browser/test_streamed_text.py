"""Answers that arrive in pieces are shown at a cost that does not depend on their length."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenContext
from tests.factories import Team, make_chatbot

pytestmark = pytest.mark.browser


def open_playground(open_context: OpenContext, team: Team) -> Page:
    """A page that loads the Markdown parser."""
    page = open_context(team.bob).new_page()
    chatbot = make_chatbot(team.workspace)
    page.goto(f"/w/{team.workspace.slug}/chatbots/{chatbot.id}/playground")
    return page


STREAM_LONG_TEXT = """async (kind) => {
    const { StreamedMarkdown } = await import("/static/js/streamed_markdown.js");
    const { render } = await import("/static/js/markdown.js");
    const blocks = {
        paragraphs: "Some **bold** words and `code` in a sentence of ordinary length.\\n\\n",
        list: "- an item with *some* words in it\\n",
        code: "const answer = 42; // an ordinary line of code\\n",
        table: "| a cell | another **cell** | 3 |\\n",
        longLineOfCode: "answer=42;",
        longFence: "word",
        line: "an answer without any line break that goes on and on ",
    };
    const heads = {
        code: "```js\\n",
        longLineOfCode: "```js\\n",
        table: "| a | b | c |\\n|---|---|---|\\n",
        longFence: "```",
    };
    const begin = heads[kind] ?? "";
    const text = begin + blocks[kind].repeat(60000 / blocks[kind].length);
    const [streamed, whole] = [0, 1].map(() => document.createElement("div"));
    document.body.append(streamed, whole);
    let written = 0;
    new MutationObserver((changes) => {
        for (const { addedNodes, type, target, oldValue } of changes) {
            if (type === "characterData") written += target.data.length - oldValue.length;
            for (const node of addedNodes) written += node.textContent.length;
        }
    }).observe(streamed, { childList: true, subtree: true, characterDataOldValue: true });
    const view = new StreamedMarkdown(streamed);
    const perPiece = [];
    for (let at = 0; at < text.length; at += 12) {
        view.add(text.slice(at, at + 12));
        written = 0;
        view.draw();
        await null; // the observer's turn
        perPiece.push(written);
    }
    await view.end();
    render(whole, text);
    for (const head of streamed.querySelectorAll("table + table thead")) head.remove(); // repeated
    const words = (element) => element.textContent.replace(/\\s+/g, "");
    const quarter = perPiece.length / 4;
    const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
    return {
        pieces: perPiece.length,
        most: Math.max(...perPiece),
        growth: sum(perPiece.slice(-quarter)) / sum(perPiece.slice(quarter, 2 * quarter)),
        isWhole: words(streamed) === words(whole),
    };
}"""
"""Streams 60,000 characters in 5,000 pieces; returns how many are written to the page per piece."""


@pytest.mark.parametrize(
    "kind", ["paragraphs", "list", "code", "longLineOfCode", "longFence", "table", "line"]
)
def test_work_per_piece_does_not_grow_with_the_answer(
    open_context: OpenContext, live_team: Team, kind: str
) -> None:
    page = open_playground(open_context, live_team)
    found = page.evaluate(STREAM_LONG_TEXT, kind)
    assert found["pieces"] >= 4900
    assert found["isWhole"] is (kind != "longFence")  # whose only line is no code
    assert found["most"] <= 13_000  # a divided block and the beginning of the next
    assert found["growth"] < 1.5


STREAM_AND_RENDER = """async (texts) => {
    const { StreamedMarkdown } = await import("/static/js/streamed_markdown.js");
    const { render } = await import("/static/js/markdown.js");
    const html = (element) => element.innerHTML.replace(/>\\s+</g, "><").trim();
    const different = [];
    for (const text of texts) {
        const [streamed, whole] = [document.createElement("div"), document.createElement("div")];
        const view = new StreamedMarkdown(streamed);
        for (const character of text) {
            view.add(character);
            view.draw();
        }
        await view.end();
        render(whole, text);
        if (html(streamed) !== html(whole)) different.push([html(streamed), html(whole)]);
    }
    return different;
}"""
MARKDOWN = [
    "One.\n\nTwo **bold\nstill bold**.\n\n- a\n- b\n\n  more of b\n\n- c\n\nAfter.",
    "1. one\n\n2. two\n\n   ```py\n   x = 1\n\n   y = 2\n   ```\n\n3. three\n\nEnd",
    "# Title\n\n```js\nlet a;\n\nlet b;\n```\n\n> quoted\n>\n> more\n\nx",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n    indented code\n\n    more\n\n---\n\n* * *\n\nlast",
    "~~~\n```\n\nnot closed\n~~~\n\nText",
    "<b>html</b>\n\n![image](https://x.example/a.png)\n\n[link](https://x.example)  \nbreak\n\n`a`",
]


def test_streamed_markdown_is_rendered_like_the_whole(
    open_context: OpenContext, live_team: Team
) -> None:
    page = open_playground(open_context, live_team)
    assert page.evaluate(STREAM_AND_RENDER, MARKDOWN) == []


STREAM_PLAIN_TEXT = """async () => {
    const { StreamedText } = await import("/static/js/streamed_text.js");
    const element = document.body.appendChild(document.createElement("div"));
    element.style.whiteSpace = "pre-wrap";
    const view = new StreamedText(element);
    const text = "A line of words.\\n\\nAnother one.\\n".repeat(1000);
    for (let at = 0; at < text.length; at += 7) view.add(text.slice(at, at + 7));
    const paragraphs = [...element.children].map((block) => block.textContent.length);
    return { isWhole: element.textContent === text, longest: Math.max(...paragraphs) };
}"""


def test_plain_text_is_divided_at_lines(open_context: OpenContext, live_team: Team) -> None:
    page = open_playground(open_context, live_team)
    found = page.evaluate(STREAM_PLAIN_TEXT)
    assert found["isWhole"] is True
    assert 2000 <= found["longest"] < 2030
