// Draws messages. A message that changes is drawn anew in its place; nothing else on the page moves.

import { say, share } from "/api.js";
import { ask } from "/dialogs.js";
import { announce, exchange, link, make, usage, worded } from "/dom.js";

const CELLS = 10;
const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clocks = {
  time: new Intl.DateTimeFormat(undefined, time),
  day: new Intl.DateTimeFormat(undefined, { weekday: "short", ...time }),
  date: new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", ...time }),
};

function bar(line) {
  const full = Math.round(line.cells * CELLS);
  const cells = Array.from({ length: CELLS }, (_, index) => make(index < full ? "i.full" : "i"));
  const percent = Math.round(line.share * 100);
  const drawn = make(
    "span.bar",
    {
      role: "progressbar",
      "aria-label": line.text,
      "aria-valuenow": percent,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    cells,
  );
  return make("p.progress", {}, make("span", {}, line.text), drawn, make("span", {}, line.after));
}

/** Lines one below the other; rows of help that follow each other are one list. */
function listed(lines) {
  const found = [];
  for (const line of lines) {
    if (!line.row) found.push(drawn(line));
    else if (found.at(-1)?.tagName === "UL") found.at(-1).append(row(line.row));
    else found.push(make("ul.rows", {}, row(line.row)));
  }
  return found;
}

function row({ code, text }) {
  return make(code && text ? "li.pair" : "li", {}, code && usage(code), text && make("span", {}, worded(text)));
}

function drawn(line) {
  if (line.title) return make("h4", {}, worded(line.text));
  if ("share" in line) return bar(line);
  if (line.link) return make("p", {}, `${line.text} `, link(line.link, line.link));
  return make("p", {}, line.parts ? line.parts.map(said) : worded(line.text));
}

function said(part) {
  return typeof part === "string" ? worded(part) : stamp(part.at, clocks[part.style]);
}

function stamp(at, hands = clocks.time) {
  const when = new Date(at);
  return make("time", { datetime: at, title: when.toLocaleString() }, hands.format(when));
}

export class Messages {
  /** `complain(sentence)` shows what went wrong; `speaker()` says who one speaks as. */
  constructor(room, direct, speaker, complain) {
    this.lists = { room, direct };
    this.speaker = speaker;
    this.complain = complain;
    this.clear();
  }

  clear() {
    this.known = new Map();
    this.threads = new Map();
    this.open = new Set();
    for (const panel of Object.values(this.lists)) panel.querySelector(".messages").replaceChildren();
  }

  /** Take a new or changed message; `loaded` is false for what was there before the page. */
  put(message, loaded) {
    const before = this.known.get(message.reference);
    this.known.set(message.reference, message);
    if (message.kind === "reply") this.putReply(message);
    if (message.kind !== "reply" || message.broadcast) this.show(message);
    if (message.kind === "card" && !before)
      this.repliesOf(message)
        .filter((one) => one.broadcast)
        .forEach((one) => this.show(one));
    if (loaded && (!before || before.card.title !== message.card.title) && message.kind !== "said")
      announce(message.card.summary);
  }

  /** A reply may be there before its card: cards change, and what changed last comes last. */
  repliesOf(card) {
    return this.threads.get(card.reference) ?? [];
  }

  putReply(message) {
    const replies = this.repliesOf({ reference: message.thread });
    this.threads.set(message.thread, [...replies.filter((one) => one.reference !== message.reference), message]);
    const card = this.known.get(message.thread);
    if (card) this.show(card);
  }

  show(message) {
    const panel = this.lists[message.kind === "direct" ? "direct" : "room"];
    const list = panel.querySelector(".messages");
    const atEnd = panel.scrollHeight - panel.scrollTop - panel.clientHeight < 80;
    const old = list.querySelector(`[data-reference="${CSS.escape(message.reference)}"]`);
    const fresh = this.draw(message);
    if (old) exchange(old, fresh);
    else this.insert(list, fresh, message.number);
    if (atEnd || message.kind === "said") panel.scrollTop = panel.scrollHeight;
    if (atEnd && !old && fresh.offsetHeight > panel.clientHeight) {
      // What is taller than the window is read from its beginning.
      panel.scrollTop += fresh.getBoundingClientRect().top - panel.getBoundingClientRect().top;
    }
  }

  insert(list, fresh, number) {
    const next = [...list.children].reverse().find((one) => Number(one.dataset.number) < number);
    if (next) next.after(fresh);
    else list.prepend(fresh);
  }

  draw(message) {
    const marks = { "data-reference": message.reference, "data-number": message.number };
    if (message.kind === "said") {
      return make(
        "li.said",
        marks,
        make("span.unseen", {}, "You said: "),
        make("code", {}, message.card.title),
        stamp(message.at),
      );
    }
    const { card } = message;
    const refused = ["refused", "usage", "failed"].includes(message.outcome);
    const head = make("header", {}, make("h3", {}, worded(card.title)), stamp(message.at));
    return make(
      `li.message.${message.kind}.${refused ? "refused" : card.tone}`,
      marks,
      this.label(message),
      head,
      listed(card.lines),
      this.buttons(message),
      this.thread(message),
    );
  }

  label(message) {
    const alone = ["answer", "whisper"].includes(message.kind);
    if (alone) return make("p.label", {}, "Only you can see this");
    if (message.by) return make("p.label", {}, `Shared by ${message.by}`);
    const card = message.thread && this.known.get(message.thread);
    const name = card && card.card.title.match(/: ([^,]+)/)?.[1];
    return name ? make("p.label", {}, `From the thread of ${name}`) : null;
  }

  buttons(message) {
    const made = message.card.buttons.map((button) =>
      make(
        `button.${button.style}`,
        {
          type: "button",
          "aria-label": `${button.label} ${button.command.split(" ").slice(1).join(" ")}`,
          onclick: (event) => this.press(button, event.currentTarget),
        },
        button.label,
      ),
    );
    if (message.shareable)
      made.push(
        make(
          "button",
          { type: "button", onclick: () => this.attempt(() => share(this.speaker(), message.number)) },
          "Share in channel",
        ),
      );
    return made.length ? make("div.buttons", {}, made) : null;
  }

  press(button, element) {
    const act = (reason = "") => say(this.speaker(), `deploy ${button.command}`, { seen: button.seen, reason });
    if (button.confirm || button.asks) return ask(button, act);
    element.setAttribute("aria-busy", "true");
    return this.attempt(act).finally(() => element.removeAttribute("aria-busy"));
  }

  async attempt(act) {
    try {
      await act();
    } catch (error) {
      this.complain(error.message);
    }
  }

  thread(message) {
    const replies = this.repliesOf(message);
    if (message.kind !== "card" || !replies.length) return null;
    const open = this.open.has(message.reference);
    const count = replies.length === 1 ? "1 reply" : `${replies.length} replies`;
    const toggle = make(
      "button.toggle",
      { type: "button", "aria-expanded": String(open), onclick: () => this.toggle(message) },
      count,
    );
    const last = replies.at(-1).card.title;
    const rows = replies.map((one) =>
      make(
        `li.${one.card.tone}`,
        {},
        make("header", {}, make("h4", {}, worded(one.card.title)), stamp(one.at)),
        one.card.lines.map(drawn),
        this.buttons(one),
      ),
    );
    return make(
      "section.thread",
      { "aria-label": "Thread" },
      make("p", {}, toggle, open ? null : make("span.last", {}, `last: ${last}`)),
      open && make("ol", {}, rows),
    );
  }

  toggle(message) {
    if (!this.open.delete(message.reference)) this.open.add(message.reference);
    this.show(message);
    const card = this.lists.room.querySelector(`[data-reference="${CSS.escape(message.reference)}"] .toggle`);
    card?.focus();
  }
}
