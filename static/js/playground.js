// The playground: sends each message to the saved chatbot and, if the form has changes, also to the
// chatbot with these changes. Each has its own conversation.

import { isComposing } from "./keys.js";
import { markdownFragment } from "./markdown.js";
import { AnswerSources } from "./sources.js";
import { StreamedMarkdown } from "./streamed_markdown.js";

const root = document.querySelector("[data-playground]");
const composer = root.querySelector("[data-composer]");
const input = composer.querySelector("textarea");
const changesForm = root.querySelector("[data-changed-form]");
const [sendButton, stopButton] = ["[data-send]", "[data-stop]"].map((name) => composer.querySelector(name));
const csrfToken = composer.querySelector("[name=csrfmiddlewaretoken]").value;
const panes = [...root.querySelectorAll("[data-pane]")].map((element) => ({
  element,
  thread: element.querySelector(".thread"),
  isChanged: element.dataset.pane === "changed",
  conversationId: "",
  turnId: "",
}));

const post = (url, fields) =>
  fetch(url, { method: "POST", headers: { "X-CSRFToken": csrfToken }, body: new URLSearchParams(fields) });
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const pluralize = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// Appends a message from its template: "user-message" or "answer".
const appendMessage = (pane, templateId) => {
  const element = document.querySelector(`#${templateId}`).content.firstElementChild.cloneNode(true);
  pane.thread.append(element);
  return element;
};
const scrollToEnd = (pane) => (pane.thread.scrollTop = pane.thread.scrollHeight);

// Parses the server-sent events of a response.
async function* parseEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (buffer + value).split("\n\n");
    buffer = frames.pop();
    for (const frame of frames) {
      const data = frame.split("\n").find((part) => part.startsWith("data: "))?.slice(6);
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

// The curl command for the same API request.
const curl = (body) => {
  const data = JSON.stringify(body).replaceAll("'", "'\\''");
  return [
    `curl -X POST ${root.dataset.endpoint} \\`,
    '  -H "Authorization: Bearer $PARLEY_API_KEY" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '${data}' --no-buffer`,
  ].join("\n");
};

const PAUSE_MS = 200;
const sourceTemplate = document.querySelector("#source");

// A streamed answer. Its text is rendered at most once per animation frame.
class Answer {
  constructor(pane) {
    this.pane = pane;
    this.element = appendMessage(pane, "answer");
    const turnUrl = (turnId) => `${root.dataset.conversations}/${pane.conversationId}/turns/${turnId}`;
    this.sources = new AnswerSources(this.element.querySelector(".sources"), sourceTemplate, turnUrl);
    const render = (text) => this.sources.link(markdownFragment(text));
    this.markdown = new StreamedMarkdown(this.element.querySelector(".text"), render);
    this.text = "";
    this.startedAt = performance.now();
    this.firstTokenMs = null;
    this.pendingFrame = 0;
  }
  add(delta) {
    this.firstTokenMs ??= performance.now() - this.startedAt;
    this.text += delta;
    this.markdown.add(delta);
    this.pendingFrame ||= requestAnimationFrame(() => this.draw());
  }
  draw() {
    const hasMore = this.markdown.draw();
    scrollToEnd(this.pane);
    this.pendingFrame = hasMore ? requestAnimationFrame(() => this.draw()) : 0;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.markdown.drawLastBlock(), PAUSE_MS);
  }
  async drawRest() {
    cancelAnimationFrame(this.pendingFrame);
    clearTimeout(this.pause);
    await this.markdown.end();
    scrollToEnd(this.pane);
  }
  showSources(found, turnId) {
    this.sources.show(found, turnId);
    scrollToEnd(this.pane);
  }
  async end({ response, usage, credits, finishReason, sources }) {
    this.sources.mark(sources);
    if (response !== this.text) {
      this.markdown.clear();
      this.markdown.add(response);
    }
    await this.drawRest();
    const facts = [
      pluralize(credits.charged, "credit"),
      ...(usage.inputTokens === null ? [] : [`${usage.inputTokens} + ${usage.outputTokens} tokens`]),
      ...(this.firstTokenMs === null ? [] : [`first token ${seconds(this.firstTokenMs)}`]),
      `total ${seconds(performance.now() - this.startedAt)}`,
      ...(finishReason === "stop" ? [] : [finishReason]),
    ];
    this.element.querySelector(".about").textContent = facts.join(" · ");
    this.element.dataset.state = "done";
  }
  async fail(message, code, requestId) {
    await this.drawRest();
    const facts = [message, code, requestId && `request ${requestId}`].filter(Boolean);
    const about = this.element.querySelector(".about");
    about.textContent = facts.join(" · ");
    about.classList.add("bad");
    this.element.dataset.state = "failed";
  }
}

const stop = ({ turnId }) => post(root.dataset.stop, { turnId });
const detailsOf = (body) => Object.values(body.details ?? {}).flat().join(" ");
// How many credits were missing, in words.
const creditsOf = ({ needed, available }) =>
  needed === undefined ? "" : `Needs up to ${pluralize(needed, "credit")}, ${available.toLocaleString("en")} available.`;

const sendMessage = async (pane, message) => {
  const userMessage = appendMessage(pane, "user-message");
  userMessage.querySelector(".text").textContent = message;
  const answer = new Answer(pane);
  const body = { message, ...(pane.conversationId && { conversationId: pane.conversationId }), stream: true };
  const curlBox = answer.element.querySelector("[data-curl]");
  curlBox.querySelector("code").textContent = curl(body);
  curlBox.hidden = pane.isChanged; // the API uses the saved settings
  scrollToEnd(pane);
  const fields = { message, conversationId: pane.conversationId };
  if (pane.isChanged) Object.assign(fields, Object.fromEntries(new FormData(changesForm)), { changed: "1" });
  try {
    const response = await post(root.dataset.chat, fields);
    const requestId = response.headers.get("X-Request-Id");
    if (!response.headers.get("Content-Type").startsWith("text/event-stream")) {
      const error = await response.json().catch(() => ({}));
      await answer.fail(error.error ?? "Unexpected response from the server.", [creditsOf(error), error.code, detailsOf(error)].filter(Boolean).join(" · "), requestId);
      return;
    }
    for await (const event of parseEvents(response)) {
      if (event.type === "message.start") {
        pane.conversationId = event.conversationId;
        pane.turnId = event.turnId;
        if (stopButton.disabled) stop(pane);
      } else if (event.type === "message.sources") answer.showSources(event, pane.turnId);
      else if (event.type === "message.delta") answer.add(event.delta);
      else if (event.type === "message.end") await answer.end(event.data);
      else if (event.type === "error") await answer.fail(event.error, event.code, requestId);
    }
    if (!answer.element.dataset.state) await answer.fail("Connection lost. The response will appear in the conversation.");
  } catch {
    await answer.fail("Can't reach the server. Try again.");
  } finally {
    pane.turnId = "";
    scrollToEnd(pane);
  }
};

const setBusy = (isBusy) => {
  sendButton.hidden = isBusy;
  stopButton.hidden = !isBusy;
  stopButton.disabled = false;
};

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = input.value;
  if (!message.trim() || sendButton.hidden) return;
  input.value = "";
  setBusy(true);
  await Promise.all(panes.filter((pane) => !pane.element.hidden).map((pane) => sendMessage(pane, message)));
  setBusy(false);
  input.focus();
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !isComposing(event)) {
    event.preventDefault();
    composer.requestSubmit();
  }
});
stopButton.addEventListener("click", () => {
  stopButton.disabled = true;
  for (const pane of panes) if (pane.turnId) stop(pane);
});
root.querySelector("[data-new-conversation]").addEventListener("click", () => {
  if (sendButton.hidden) return;
  for (const pane of panes) {
    pane.conversationId = "";
    pane.thread.replaceChildren();
  }
  input.focus();
});

// Shows the second pane when the form has changes.
const saved = new URLSearchParams(new FormData(changesForm)).toString();
const updateComparison = () => {
  const hasChanges = new URLSearchParams(new FormData(changesForm)).toString() !== saved;
  const pane = panes.find(({ isChanged }) => isChanged);
  pane.element.hidden = !hasChanges;
  root.toggleAttribute("data-comparing", hasChanges);
};
changesForm.addEventListener("input", updateComparison);
changesForm.addEventListener("reset", () => setTimeout(updateComparison));
updateComparison();
