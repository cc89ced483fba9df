// The playground: a message goes to the chatbot as it is saved and, when something in the form of
// changes differs, to the chatbot with these changes too. Each has a conversation of its own.

import { render } from "./markdown.js";

const place = document.querySelector("[data-playground]");
const composer = place.querySelector("[data-composer]");
const input = composer.querySelector("textarea");
const changes = place.querySelector("[data-changed-form]");
const [send, halt] = ["[data-send]", "[data-stop]"].map((name) => composer.querySelector(name));
const token = composer.querySelector("[name=csrfmiddlewaretoken]").value;
const panes = [...place.querySelectorAll("[data-pane]")].map((element) => ({
  element,
  thread: element.querySelector(".thread"),
  isChanged: element.dataset.pane === "changed",
  conversationId: "",
  turnId: "",
}));

const post = (url, fields) =>
  fetch(url, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(fields) });
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const counted = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// One line of a thread, from its template: "said" or "answer".
const line = (pane, name) => {
  const made = document.querySelector(`#${name}`).content.firstElementChild.cloneNode(true);
  pane.thread.append(made);
  return made;
};
const atEnd = (pane) => (pane.thread.scrollTop = pane.thread.scrollHeight);

// The events of a stream of frames, one object each.
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + value).split("\n\n");
    rest = frames.pop();
    for (const frame of frames) {
      const data = frame.split("\n").find((part) => part.startsWith("data: "))?.slice(6);
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

// The same request as an integrator sends it.
const curl = (body) => {
  const data = JSON.stringify(body).replaceAll("'", "'\\''");
  return [
    `curl -X POST ${place.dataset.endpoint} \\`,
    '  -H "Authorization: Bearer $PARLEY_API_KEY" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '${data}' --no-buffer`,
  ].join("\n");
};

// An answer on its way: its text is drawn at most once a frame of the screen.
class Answer {
  constructor(pane) {
    this.pane = pane;
    this.element = line(pane, "answer");
    this.text = "";
    this.began = performance.now();
    this.first = null;
    this.waiting = 0;
  }
  add(delta) {
    this.first ??= performance.now() - this.began;
    this.text += delta;
    this.waiting ||= requestAnimationFrame(() => this.draw());
  }
  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    render(this.element.querySelector(".text"), this.text);
    atEnd(this.pane);
  }
  end({ response, usage, credits, finishReason }) {
    this.text = response;
    this.draw();
    const facts = [
      counted(credits.charged, "credit"),
      ...(usage.inputTokens === null ? [] : [`${usage.inputTokens} + ${usage.outputTokens} tokens`]),
      ...(this.first === null ? [] : [`first token ${seconds(this.first)}`]),
      `total ${seconds(performance.now() - this.began)}`,
      ...(finishReason === "stop" ? [] : [finishReason]),
    ];
    this.element.querySelector(".about").textContent = facts.join(" · ");
    this.element.dataset.state = "done";
  }
  fail(sentence, code, requestId) {
    this.draw();
    const told = [sentence, code, requestId && `request ${requestId}`].filter(Boolean);
    const about = this.element.querySelector(".about");
    about.textContent = told.join(" · ");
    about.classList.add("bad");
    this.element.dataset.state = "failed";
  }
}

const stop = ({ turnId }) => post(place.dataset.stop, { turnId });
const details = (body) => Object.values(body.details ?? {}).flat().join(" ");

const ask = async (pane, message) => {
  const said = line(pane, "said");
  said.querySelector(".text").textContent = message;
  const answer = new Answer(pane);
  const body = { message, ...(pane.conversationId && { conversationId: pane.conversationId }), stream: true };
  const shown = answer.element.querySelector("[data-curl]");
  shown.querySelector("code").textContent = curl(body);
  shown.hidden = pane.isChanged; // the API knows nothing of what is not saved
  atEnd(pane);
  const fields = { message, conversationId: pane.conversationId };
  if (pane.isChanged) Object.assign(fields, Object.fromEntries(new FormData(changes)), { changed: "1" });
  try {
    const response = await post(place.dataset.chat, fields);
    const requestId = response.headers.get("X-Request-Id");
    if (!response.headers.get("Content-Type").startsWith("text/event-stream")) {
      const error = await response.json().catch(() => ({}));
      answer.fail(error.error ?? "Unexpected response from the server.", [error.code, details(error)].filter(Boolean).join(" · "), requestId);
      return;
    }
    for await (const event of eventsOf(response)) {
      if (event.type === "message.start") {
        pane.conversationId = event.conversationId;
        pane.turnId = event.turnId;
        if (halt.disabled) stop(pane);
      } else if (event.type === "message.delta") answer.add(event.delta);
      else if (event.type === "message.end") answer.end(event.data);
      else if (event.type === "error") answer.fail(event.error, event.code, requestId);
    }
    if (!answer.element.dataset.state) answer.fail("Connection lost. The response will appear in the conversation.");
  } catch {
    answer.fail("Can't reach the server. Try again.");
  } finally {
    pane.turnId = "";
    atEnd(pane);
  }
};

const busy = (is) => {
  send.hidden = is;
  halt.hidden = !is;
  halt.disabled = false;
};

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = input.value;
  if (!message.trim() || send.hidden) return;
  input.value = "";
  busy(true);
  await Promise.all(panes.filter((pane) => !pane.element.hidden).map((pane) => ask(pane, message)));
  busy(false);
  input.focus();
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    composer.requestSubmit();
  }
});
halt.addEventListener("click", () => {
  halt.disabled = true;
  for (const pane of panes) if (pane.turnId) stop(pane);
});
place.querySelector("[data-anew]").addEventListener("click", () => {
  if (send.hidden) return;
  for (const pane of panes) {
    pane.conversationId = "";
    pane.thread.replaceChildren();
  }
  input.focus();
});

// The second pane is there when there is something to compare.
const saved = new URLSearchParams(new FormData(changes)).toString();
const compare = () => {
  const differs = new URLSearchParams(new FormData(changes)).toString() !== saved;
  const pane = panes.find(({ isChanged }) => isChanged);
  pane.element.hidden = !differs;
  place.toggleAttribute("data-comparing", differs);
};
changes.addEventListener("input", compare);
changes.addEventListener("reset", () => setTimeout(compare));
compare();
