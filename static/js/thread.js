// A conversation while it is held: the dashboard's ear (docs/live.md) says what happens; each turn
// is drawn by the server, and the text of a running one is written as it comes.

const thread = document.querySelector("[data-thread]");
const says = document.querySelector("[data-live]");
const dot = document.querySelector("[data-live-dot]");
const here = location.pathname.replace(/\/$/, "");
const MOST_WAIT = 15000;

let after = thread.dataset.after || null;
let wait = 500;
let drawing = Promise.resolve();
const answers = new Map(); // the text so far of each running turn

const tell = (words, isLive) => {
  says.textContent = words;
  dot.classList.toggle("dot-good", isLive);
};

const write = (turnId) => {
  const place = document.querySelector(`#turn-${CSS.escape(turnId)} [data-answer]`);
  if (place && answers.has(turnId)) place.textContent = answers.get(turnId);
};

// One after the other, so that an older picture of a turn never replaces a newer one.
const draw = (turnId) => {
  drawing = drawing.then(async () => {
    const response = await fetch(`${here}/turns/${encodeURIComponent(turnId)}`).catch(() => null);
    if (!response?.ok) return;
    const holder = document.createElement("template");
    holder.innerHTML = await response.text();
    const fresh = holder.content.firstElementChild;
    const old = document.getElementById(fresh.id);
    if (old) {
      const isOpen = old.querySelector(".receipt").open;
      old.replaceWith(fresh);
      fresh.querySelector(".receipt").open = isOpen;
    } else {
      thread.append(fresh);
      document.querySelector(".page .empty")?.remove();
    }
    window.htmx?.process(fresh);
    write(turnId);
  });
};

const hear = (frame) => {
  const { turnId } = frame;
  if (frame.type === "conversation.watched") {
    wait = 500;
    tell("Live", true);
  } else if (frame.type === "message.created") {
    after = frame.message.id;
    draw(turnId);
  } else if (frame.type === "message.start") {
    answers.set(turnId, "");
    if (!document.getElementById(`turn-${turnId}`)) draw(turnId);
  } else if (frame.type === "message.delta") {
    answers.set(turnId, (answers.get(turnId) ?? "") + frame.delta);
    write(turnId);
  } else if (frame.type === "message.end" || (frame.type === "error" && frame.id && frame.code !== "SERVICE_UNAVAILABLE")) {
    answers.delete(turnId);
    draw(turnId);
  }
};

const listen = () => {
  const socket = new WebSocket(thread.dataset.socket);
  socket.onopen = () =>
    socket.send(JSON.stringify({ type: "conversation.watch", conversationId: thread.dataset.conversation, after }));
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = ({ code }) => {
    if (code >= 4400 && code < 4500 && code !== 4408) return tell("Disconnected", false);
    tell("Reconnecting", false);
    setTimeout(listen, wait);
    wait = Math.min(wait * 2, MOST_WAIT);
  };
};

listen();
