// What runs where. A release that turns up in a place flies there from the place before it, unless motion is unwanted.

import { calm, link, make, worded } from "/dom.js";

const FLIGHT = 900; // milliseconds
const BEFORE = { public: "alpha", omega: "public", mainframe: "omega" };

const sort = (key) => key.split("/")[0];

export class Picture {
  /** `push(id)` opens the form for one of ALPHA's updates. */
  constructor(root, push) {
    this.root = root;
    this.push = push;
    this.clear();
  }

  clear(sentence = "Looking at the servers…") {
    this.standing = null;
    this.root.replaceChildren(make("p.waiting", {}, sentence));
  }

  show(picture) {
    const held = document.activeElement?.closest?.("#picture [data-chip]")?.dataset.chip;
    const going = (leg) => picture.journeys.filter((journey) => journey.leg === leg);
    this.root.replaceChildren(
      make("h2", {}, "What runs where"),
      this.place(picture.alpha, true),
      this.way(going("staging")),
      this.place(picture.public),
      this.way(going("production")),
      make(
        "div.omegas",
        {},
        picture.omegas.map((place) => this.place(place)),
      ),
      picture.mainframes.length > 0 && this.way([]),
      picture.mainframes.length > 0 &&
        make(
          "section.fleet",
          { "aria-label": "Mainframes" },
          picture.mainframes.map((place) => this.place(place)),
        ),
    );
    this.fly();
    if (held) this.root.querySelector(`[data-chip="${CSS.escape(held)}"] :is(a, button)`)?.focus();
  }

  way(journeys) {
    const rows = journeys.map((one) => make("p", {}, make("b", {}, one.release), ` ${one.words}`));
    return make(journeys.length ? "div.way.busy" : "div.way", {}, rows);
  }

  place(place, offers = false) {
    const title = make("h3", {}, place.title);
    const about = make("p.about", {}, place.about);
    const hint = place.hint && make("p", {}, worded(`\`${place.hint}\``));
    const rows = place.running.map((one) => this.release(place, one, offers));
    const list = rows.length
      ? make("ul", {}, rows)
      : !hint && make("p.none", {}, place.tone === "bad" ? "" : "Nothing yet");
    return make(
      `section.place.${place.tone}`,
      { "data-place": place.key, "aria-label": place.title },
      make("header", {}, title, about),
      hint,
      list,
    );
  }

  release(place, one, offers) {
    const chip = `${place.key} ${one.component} ${one.release}`;
    const name = offers
      ? make(
          "button.code",
          { type: "button", title: `Push ${one.release}`, onclick: () => this.push(one.release) },
          one.release,
        )
      : one.url
        ? link(one.url, one.release)
        : make("span", {}, one.release);
    const tag = one.component && make(`span.tag`, { "data-component": one.component }, one.component);
    const kind = one.slot ? "slot · " : place.key === "public" ? "baseline · " : "";
    const status = one.status && make(`span.status.${one.tone}`, {}, kind + one.status);
    return make(
      one.slot ? "li.slot" : "li",
      { "data-chip": chip, "data-release": one.release },
      tag,
      make("span.name", {}, name),
      status,
    );
  }

  /** Those that were not there before come from where they were. The first picture stands still. */
  fly() {
    const chips = [...this.root.querySelectorAll("[data-chip]")];
    const before = this.standing;
    this.standing = new Set(chips.map((chip) => chip.dataset.chip));
    if (before === null || calm()) return;
    chips.filter((chip) => !before.has(chip.dataset.chip)).forEach((chip) => this.arrive(chip));
  }

  arrive(chip) {
    chip.animate([{ opacity: 0 }, { opacity: 0, offset: 0.7 }, { opacity: 1 }], { duration: FLIGHT });
    const origin = BEFORE[sort(chip.closest("[data-place]").dataset.place)];
    const from = [...this.root.querySelectorAll("[data-place]")].find((place) => sort(place.dataset.place) === origin);
    if (!from) return;
    const start = (
      from.querySelector(`[data-release="${CSS.escape(chip.dataset.release)}"]`) ?? from
    ).getBoundingClientRect();
    const end = chip.getBoundingClientRect();
    const flying = make("div.flying", { "aria-hidden": "true" }, chip.dataset.release);
    document.body.append(flying);
    const at = (box) => `translate(${box.left + 8}px, ${box.top}px)`;
    const moved = flying.animate(
      [
        { transform: at(start), opacity: 0 },
        { opacity: 1, offset: 0.15 },
        { opacity: 1, offset: 0.85 },
        { transform: at(end), opacity: 0 },
      ],
      { duration: FLIGHT, easing: "cubic-bezier(.4, 0, .2, 1)" },
    );
    moved.finished.then(
      () => flying.remove(),
      () => flying.remove(),
    );
  }
}
