// The message box: what was said before with the arrows, completion as you type, Tab takes it.

import { complete, say } from "/api.js";
import { byId, make } from "/dom.js";

const DRAFT = "draft";
const PAUSE = 60; // milliseconds without a key before completions are asked for

export class Composer {
  constructor(speaker, complain) {
    this.speaker = speaker;
    this.complain = complain;
    this.text = byId("text");
    this.list = byId("words");
    this.onward = byId("send");
    this.said = [];
    this.forget();
    this.settled = this.text.value = sessionStorage.getItem(DRAFT) ?? "";
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    document.addEventListener("offered", (event) => this.offer(event.detail));
  }

  /** What `speaker` said before this page is there again after a reload. */
  remember(text) {
    this.said = [...this.said.filter((one) => one !== text), text];
    this.at = null;
  }

  forget() {
    this.said = [];
    this.at = null;
    this.words = [];
    this.active = -1;
    this.asked = 0;
    this.settled = this.text.value; // the text to which the words belong, or for which none are wanted
  }

  offer(text) {
    this.write(text);
    this.text.focus();
  }

  write(text) {
    this.text.value = text;
    sessionStorage.setItem(DRAFT, text);
  }

  async send() {
    const text = this.text.value.trim();
    this.close();
    if (!text) return;
    this.write("");
    try {
      await say(this.speaker(), text);
    } catch (error) {
      if (!this.text.value) this.write(text);
      this.complain(error.message);
    }
  }

  typed() {
    sessionStorage.setItem(DRAFT, this.text.value);
    this.at = null;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PAUSE);
  }

  /** Whether the words that came are those for what stands there. */
  async look() {
    const text = this.text.value;
    const asked = ++this.asked;
    clearTimeout(this.timer);
    this.settled = null;
    if (!text.trim()) return this.close();
    const words = await complete(this.speaker(), text).catch(() => []); // a help: what is typed can be sent without it
    const current = asked === this.asked && text === this.text.value;
    if (current) this.show(words, text);
    return current;
  }

  show(words, text) {
    const begun = text.match(/\S*$/)[0];
    this.words = words.filter((word) => word !== begun);
    this.active = -1;
    this.settled = this.text.value;
    this.list.replaceChildren(
      ...this.words.map((word, index) =>
        make(
          "li",
          {
            role: "option",
            id: `word-${index}`,
            "aria-selected": "false",
            onmousedown: (event) => {
              event.preventDefault();
              this.take(index);
            },
          },
          word,
        ),
      ),
    );
    this.list.hidden = !this.words.length;
    this.text.setAttribute("aria-expanded", String(!this.list.hidden));
    this.text.removeAttribute("aria-activedescendant");
  }

  close() {
    this.asked += 1;
    clearTimeout(this.timer);
    this.show([], "");
  }

  key(event) {
    const act = { Tab: this.tab, ArrowUp: this.up, ArrowDown: this.down, Escape: this.escape, Enter: this.enter }[
      event.key
    ];
    if (act && !event.shiftKey && !event.isComposing && act.call(this)) event.preventDefault();
  }

  /** Takes what is chosen, or the first; where there is nothing, and after Escape, Tab goes on as everywhere. */
  tab() {
    if (!this.text.value.trim()) return false;
    if (this.settled !== this.text.value) {
      this.takeNext();
      return true;
    }
    if (!this.words.length) return false;
    this.take(Math.max(this.active, 0));
    return true;
  }

  /** Tab came before the words did: it waits for them, and goes on where there are none. */
  async takeNext() {
    if (!(await this.look()) || document.activeElement !== this.text) return; // somebody typed on, or went away
    if (this.words.length) this.take(0);
    else this.onward.focus();
  }

  enter() {
    if (this.active < 0) return false;
    this.take(this.active);
    return true;
  }

  escape() {
    if (this.list.hidden && this.settled === this.text.value) return false;
    this.close();
    return true;
  }

  up() {
    if (this.active >= 0) this.choose(this.active - 1);
    else this.back(-1);
    return true;
  }

  down() {
    if (this.words.length && this.at === null) this.choose(Math.min(this.active + 1, this.words.length - 1));
    else this.back(1);
    return true;
  }

  back(step) {
    const to = (this.at ?? this.said.length) + step;
    if (to < 0) return;
    this.at = to < this.said.length ? to : null;
    this.write(this.at === null ? "" : this.said[this.at]);
    this.close();
  }

  choose(index) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = index;
    const chosen = this.list.children[index];
    chosen?.setAttribute("aria-selected", "true");
    chosen?.scrollIntoView({ block: "nearest" });
    if (chosen) this.text.setAttribute("aria-activedescendant", chosen.id);
    else this.text.removeAttribute("aria-activedescendant");
  }

  take(index) {
    this.write(`${this.text.value.replace(/\S*$/, "")}${this.words[index]} `);
    this.close();
    this.look();
  }
}
