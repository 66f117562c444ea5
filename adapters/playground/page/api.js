// What the page says to the bot. Each thing said has an id of its own, so that saying it again after a cut acts once.

const TRIES = [300, 1000, 3000];

/** Why it was refused, in a sentence. */
export class Problem extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  for (const wait of [...TRIES, null]) {
    try {
      return await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    } catch {
      if (wait === null) throw new Problem(0, "The bot does not answer; nothing more was sent. Try again in a moment.");
      await pause(wait);
    }
  }
}

/** The answer's JSON. Raises Problem. */
export async function post(path, body) {
  const response = await send(path, body);
  if (response.status === 204) return {};
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer.problem ?? `The bot answered ${response.status}.`);
  return answer;
}

export const say = (speaker, text, { seen = null, reason = "" } = {}) =>
  post("/say", { speaker, delivery: crypto.randomUUID(), text, seen, reason });

/** What is wrong with the form, in a sentence; null once it is sent. */
export const fillIn = async (speaker, command, fields) =>
  (await post("/form", { speaker, delivery: crypto.randomUUID(), command, fields })).problem;

export const check = async (command, field, value) => (await post("/check", { command, field, value })).problem;

export const complete = async (speaker, text, every = false) =>
  (await post("/complete", { speaker, text, every })).words;

export const share = (speaker, number) => post("/share", { speaker, number });

/** A first visit: the link's fragment, which no server and no log sees, for a cookie. */
export async function enter() {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  await post("/session", { token });
}
