// Elements without markup: text is only ever set as text, so nothing that people or servers send becomes HTML.

/** `make("button.primary", {type: "button", onclick}, "Send")`; false and null children are left out. */
export function make(kind, properties = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== false && child !== null && child !== undefined),
  );
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Words with `commands` in backticks: a click puts one into the message box. */
export function worded(text) {
  return text.split(/`([^`]+)`/).map((part, index) => {
    if (index % 2 === 0) return part;
    const offer = () => document.dispatchEvent(new CustomEvent("offered", { detail: part }));
    return make("button.code", { type: "button", title: "Put into the message box", onclick: offer }, part);
  });
}

/** A command as help shows it: a click puts into the message box what comes before the first placeholder. */
export function usage(code) {
  if (!code.startsWith("deploy ")) return make("code", {}, code);
  const offer = () => document.dispatchEvent(new CustomEvent("offered", { detail: code.replace(/ [<[].*$/, " ") }));
  return make("button.code", { type: "button", title: "Put into the message box", onclick: offer }, code);
}

export function link(url, text) {
  return make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text);
}

/** Put `fresh` in the place of `old`, and the focus on the button that it was on. */
export function exchange(old, fresh) {
  const held = old.contains(document.activeElement) ? document.activeElement.textContent : null;
  old.replaceWith(fresh);
  if (held === null) return;
  const same = [...fresh.querySelectorAll("button, a")].find((one) => one.textContent === held);
  const next = same ?? fresh.querySelector("button, a");
  next?.focus();
}

export function announce(text) {
  const line = make("p", {}, text);
  byId("announced").append(line);
  setTimeout(() => line.remove(), 10_000);
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
