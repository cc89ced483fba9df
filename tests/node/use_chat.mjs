// Chat with the class that useChat is built on, and its default transport.
// {api, headers, texts, regenerate, resumeUrl} → {messages, status, error, finishes}
// texts: messages to send. regenerate: whether to regenerate the last answer afterwards.
// resumeUrl: if given, the last answer is removed afterwards, as by a reload of the page, and its
// turn is resumed from this URL, with TURN replaced by the turn's id.

import { AbstractChat, DefaultChatTransport } from 'ai';
import { readArguments, writeResult } from './stdio.mjs';

class State {
  status = 'ready';
  error = undefined;
  messages = [];
  pushMessage = message => {
    this.messages = [...this.messages, message];
  };
  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (at, message) => {
    this.messages = this.messages.with
      ? this.messages.with(at, message)
      : this.messages.map((old, index) => (index === at ? message : old));
  };
  snapshot = value => structuredClone(value);
}

class Chat extends AbstractChat {}

const { api, headers, texts, regenerate, resumeUrl } = await readArguments();
const state = new State();
const finishes = [];
let turn;
const chat = new Chat({
  state,
  transport: new DefaultChatTransport({
    api,
    headers,
    prepareReconnectToStreamRequest: () => ({
      api: resumeUrl.replace('TURN', turn),
      headers,
    }),
  }),
  onFinish: ({ finishReason, isError }) => finishes.push({ finishReason, isError }),
});
for (const text of texts) await chat.sendMessage({ text });
if (regenerate) await chat.regenerate();
if (resumeUrl) {
  turn = state.messages.at(-1).metadata.turnId;
  state.popMessage();
  await chat.resumeStream();
}
writeResult({
  messages: state.messages,
  status: state.status,
  error: state.error?.message ?? null,
  finishes,
});
