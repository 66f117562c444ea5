// Who speaks. A badge says that somebody has messages which they have not read yet.

import { byId, make } from "/dom.js";

const SPEAKER = "speaker";
const READ = "read";

export class Personas {
  constructor(chosen) {
    this.root = byId("personas");
    this.chosen = chosen;
    this.people = [];
    this.speaker = sessionStorage.getItem(SPEAKER);
    this.read = JSON.parse(sessionStorage.getItem(READ) ?? "{}");
    document.addEventListener("keydown", (event) => this.key(event));
  }

  update(people) {
    const fresh = JSON.stringify(people.map(({ id, name, roles }) => [id, name, roles]));
    this.people = people;
    if (fresh !== this.drawn) this.draw(people);
    this.drawn = fresh;
    this.badges();
  }

  /** `mail` messages of `speaker` have been seen. */
  seen() {
    const me = this.people.find((one) => one.id === this.speaker);
    if (!me) return;
    this.read[me.id] = me.mail;
    sessionStorage.setItem(READ, JSON.stringify(this.read));
    this.badges();
  }

  unread(person) {
    return Math.max(0, person.mail - (this.read[person.id] ?? 0));
  }

  mine() {
    const me = this.people.find((one) => one.id === this.speaker);
    return me ? this.unread(me) : 0;
  }

  choose(id) {
    this.speaker = id;
    sessionStorage.setItem(SPEAKER, id);
    const radio = this.root.querySelector(`input[value="${CSS.escape(id)}"]`);
    if (radio) radio.checked = true;
    this.chosen(id);
  }

  draw(people) {
    this.root.querySelectorAll("label").forEach((label) => label.remove());
    people.forEach((person) => {
      const roles = person.roles.filter((role) => role !== "viewer").join(", ") || person.roles[0] || "no role";
      const radio = make("input", {
        type: "radio",
        name: "speaker",
        value: person.id,
        onchange: () => this.choose(person.id),
      });
      radio.checked = person.id === this.speaker;
      this.root.append(
        make(
          "label",
          {},
          radio,
          make("span.name", {}, person.name),
          make("span.roles", {}, roles),
          make("span.badge", { hidden: true }),
        ),
      );
    });
  }

  badges() {
    this.people.forEach((person) => {
      const badge = this.root
        .querySelector(`input[value="${CSS.escape(person.id)}"]`)
        ?.parentElement.querySelector(".badge");
      const unread = this.unread(person);
      if (!badge) return;
      badge.hidden = unread === 0;
      badge.textContent = unread;
      badge.setAttribute("aria-label", `${unread} unread direct ${unread === 1 ? "message" : "messages"}`);
    });
  }

  key(event) {
    const person =
      event.altKey && !event.ctrlKey && /^Digit[1-9]$/.test(event.code) && this.people[Number(event.code.slice(5)) - 1];
    if (!person) return;
    event.preventDefault();
    this.choose(person.id);
  }
}
