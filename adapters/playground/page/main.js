// Puts the parts of the page together.

import { enter, say } from "/api.js";
import { Composer } from "/composer.js";
import { form, help, newDeployment } from "/dialogs.js";
import { byId, make, worded } from "/dom.js";
import { Messages } from "/messages.js";
import { Personas } from "/personas.js";
import { Picture } from "/picture.js";
import { Stream } from "/stream.js";

const QUICK = ["status", "servers", "mainframes", "history", "whoami", "help"];
const FIRST = "alice";

let loaded = false;
let mayLook = true;
const answered = new Set(JSON.parse(sessionStorage.getItem("forms") ?? "[]"));

function tell(sentence, state = "bad") {
  const banner = byId("banner");
  banner.textContent = sentence ?? "";
  banner.className = state;
  banner.hidden = !sentence;
}

function complain(sentence) {
  tell(sentence);
  setTimeout(() => byId("banner").textContent === sentence && tell(null), 8000);
}

const speaker = () => personas.speaker;
const personas = new Personas((id) => {
  loaded = false;
  messages.clear();
  composer.forget();
  picture.clear();
  stream.as(id);
});
const messages = new Messages(byId("room"), byId("direct"), speaker, complain);
const composer = new Composer(speaker, complain);
const push = (id) => newDeployment(speaker(), id).catch((error) => complain(error.message));
const picture = new Picture(byId("picture"), push);
const stream = new Stream(heard, (state, sentence) => {
  document.body.dataset.connection = state;
  if (state === "open") tell(null);
  else tell(sentence, state);
});

function heard(name, data) {
  switch (name) {
    case "hello":
      mayLook = data.mayLook;
      document.body.classList.toggle("guest", !mayLook);
      if (!mayLook) picture.clear("Whoever has no role sees nothing of the servers.");
      break;
    case "message":
      messages.put(data, loaded);
      if (data.kind === "said") composer.remember(data.card.title);
      if (data.form && !answered.has(data.reference)) answer(data);
      break;
    case "people":
      loaded = true;
      personas.update(data);
      document.body.dataset.loaded = speaker();
      break;
    case "picture":
      picture.show(data);
      break;
  }
  refresh();
}

function answer(message) {
  answered.add(message.reference);
  sessionStorage.setItem("forms", JSON.stringify([...answered]));
  form(speaker(), message.form);
}

// -- tabs ---------------------------------------------------------------------------------------------------------

const TABS = ["room", "direct"];

function select(name, { focus = false } = {}) {
  for (const one of TABS) {
    const tab = byId(`tab-${one}`);
    tab.setAttribute("aria-selected", String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
    byId(one).hidden = one !== name;
    if (focus && one === name) tab.focus();
  }
  byId(name).scrollTop = byId(name).scrollHeight;
  refresh();
}

function refresh() {
  if (!byId("direct").hidden) personas.seen();
  const unread = personas.mine();
  byId("tab-direct").textContent = unread ? `Direct messages (${unread})` : "Direct messages";
  document.title = unread ? `(${unread}) Ashat playground` : "Ashat playground";
  for (const [name, words] of Object.entries(empty())) {
    const panel = byId(name);
    const none = loaded && !panel.querySelector(".messages").childElementCount;
    const place = panel.querySelector(".empty");
    if (!none || place.dataset.words !== words)
      place.replaceChildren(...(none ? words.split("\n").map((line) => make("p", {}, worded(line))) : []));
    place.dataset.words = none ? words : "";
  }
}

function empty() {
  const room = mayLook
    ? "Nothing is here yet.\nTry `deploy status`, or start with New deployment: its card comes here, and changes as it goes."
    : "You have no role, so this channel shows you nothing.\nTry `deploy whoami`, or speak as somebody else.";
  return {
    room,
    direct: "No direct messages yet.\nAshat writes here when it needs you, or when something of yours is done.",
  };
}

for (const name of TABS) {
  byId(`tab-${name}`).addEventListener("click", () => select(name));
  byId(`tab-${name}`).addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight")
      select(
        TABS.find((one) => one !== name),
        { focus: true },
      );
  });
}

// -- what is often used ------------------------------------------------------------------------------------------

const quick = document.querySelector("#composer .quick");
quick.append(
  make(
    "button.primary",
    { type: "button", id: "new", "aria-haspopup": "dialog", onclick: () => push() },
    "New deployment",
  ),
);
quick.append(
  ...QUICK.map((word) =>
    make(
      "button",
      { type: "button", onclick: () => say(speaker(), `deploy ${word}`).catch((error) => complain(error.message)) },
      word,
    ),
  ),
);
byId("help").addEventListener("click", help);
document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.code !== "KeyN") return;
  event.preventDefault();
  push();
});

try {
  await enter();
  personas.choose(personas.speaker ?? FIRST);
} catch (error) {
  tell(error.message, "ended");
}
if (matchMedia("(pointer: fine)").matches) byId("text").focus(); // elsewhere a keyboard would cover half the page
