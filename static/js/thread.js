// Updates a conversation live over the dashboard's WebSocket (docs/reference/live-updates.md). Turns are rendered by the
// server; the text of a running turn is updated here.

import { StreamedText } from "./streamed_text.js";

const thread = document.querySelector("[data-thread]");
const statusText = document.querySelector("[data-live]");
const statusDot = document.querySelector("[data-live-dot]");
const pageUrl = location.pathname.replace(/\/$/, "");
const MAX_RETRY_MS = 15000;

let after = thread.dataset.after || null;
let retryMs = 500;
let rendering = Promise.resolve();
const partialTexts = new Map(); // by the id of each running turn: its text, and where it is shown

const setStatus = (text, isLive) => {
  statusText.textContent = text;
  statusDot.classList.toggle("dot-good", isLive);
};

// A turn may be loaded anew while its text arrives: then the text begins again in the new element.
const showPartialText = (turnId) => {
  const partial = partialTexts.get(turnId);
  const answer = document.querySelector(`#turn-${CSS.escape(turnId)} [data-answer]`);
  if (!partial || !answer) return;
  if (partial.streamed?.element !== answer) {
    partial.streamed = new StreamedText(answer, partial.text);
  } else partial.streamed.add(partial.text.slice(partial.shownLength));
  partial.shownLength = partial.text.length;
};
const addPartialText = (turnId, delta) => {
  if (!partialTexts.has(turnId)) partialTexts.set(turnId, { text: "", frame: 0 });
  const partial = partialTexts.get(turnId);
  partial.text += delta;
  partial.frame ||= requestAnimationFrame(() => {
    partial.frame = 0;
    showPartialText(turnId);
  });
};

// Loads turns one after another, so that an older version never replaces a newer one.
const loadTurn = (turnId) => {
  rendering = rendering.then(async () => {
    const response = await fetch(`${pageUrl}/turns/${encodeURIComponent(turnId)}`).catch(() => null);
    if (!response?.ok) return;
    const template = document.createElement("template");
    template.innerHTML = await response.text();
    const turn = template.content.firstElementChild;
    const current = document.getElementById(turn.id);
    if (current) {
      const isOpen = current.querySelector(".receipt").open;
      const openSources = [...current.querySelectorAll(".source[open] .source-text")].map(({ id }) => id);
      current.replaceWith(turn);
      turn.querySelector(".receipt").open = isOpen;
      for (const id of openSources) document.getElementById(id)?.closest(".source").setAttribute("open", "");
    } else {
      thread.append(turn);
      document.querySelector(".page .empty")?.remove();
    }
    window.htmx?.process(turn);
    showPartialText(turnId);
  });
};

const handleFrame = (frame) => {
  const { turnId } = frame;
  if (frame.type === "conversation.watched") {
    retryMs = 500;
    setStatus("Live", true);
  } else if (frame.type === "message.created") {
    after = frame.message.id;
    loadTurn(turnId);
  } else if (frame.type === "message.start") {
    partialTexts.set(turnId, { text: "", frame: 0 });
    if (!document.getElementById(`turn-${turnId}`)) loadTurn(turnId);
  } else if (frame.type === "message.delta") {
    addPartialText(turnId, frame.delta);
  } else if (frame.type === "message.end" || (frame.type === "error" && turnId && frame.code !== "SERVICE_UNAVAILABLE")) {
    partialTexts.delete(turnId);
    loadTurn(turnId);
  }
};

const connect = () => {
  const socket = new WebSocket(thread.dataset.socket);
  socket.onopen = () =>
    socket.send(JSON.stringify({ type: "conversation.watch", conversationId: thread.dataset.conversation, after }));
  socket.onmessage = (event) => handleFrame(JSON.parse(event.data));
  socket.onclose = ({ code }) => {
    if (code >= 4400 && code < 4500 && code !== 4408) return setStatus("Disconnected", false);
    setStatus("Reconnecting", false);
    setTimeout(connect, retryMs);
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  };
};

connect();
