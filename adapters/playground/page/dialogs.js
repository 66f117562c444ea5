// Dialogs: a consequence to confirm, a reason, a form. Escape leaves them, and the focus goes back to where it was.

import { check, complete, fillIn } from "/api.js";
import { make, worded } from "/dom.js";

let dialogs = 0;

/** Show a dialog; `act(form)` is called when it is sent, and keeps it open by giving a sentence. */
function open(title, content, { label, style = "primary", act }) {
  const id = `dialog-${++dialogs}`;
  const problem = make("p.problem", { role: "alert" });
  const go = make(`button.${style}`, { type: "submit" }, label);
  const back = make("button", { type: "button", onclick: () => dialog.close() }, "Back");
  const form = make(
    "form",
    { novalidate: true },
    make("h2", { id }, title),
    content,
    problem,
    make("div.choices", {}, back, go),
  );
  const dialog = make("dialog", { "aria-labelledby": id }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      problem.textContent = (await act(form)) ?? "";
    } catch (error) {
      problem.textContent = error.message;
    }
    go.disabled = false;
    if (!problem.textContent) dialog.close();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  (form.querySelector("input, textarea, select") ?? go).focus();
  return dialog;
}

/** Ask for what a button needs before it is said: its consequences, and the reason. */
export function ask(button, act) {
  const required = button.asks === "reason";
  const field = button.asks && make("textarea", { name: "reason", rows: 3, maxlength: 500, required });
  const label = button.asks && make("label", {}, required ? "Reason" : "Reason (optional)", field);
  const content = [button.confirm && make("p", {}, button.confirm), label];
  const style = button.style === "danger" ? "danger" : "primary";
  open(`${button.label}: ${button.command.split(" ").slice(1).join(" ")}`, content, {
    label: button.label,
    style,
    act: async () => {
      const reason = field ? field.value.trim() : "";
      if (required && !reason) return "The reason is missing: people will want to know why.";
      await act(reason);
    },
  });
}

/** One field with its own complaint below it, checked when it is left. */
function field(command, { name, label, hint, element }) {
  const id = `field-${name}`;
  const problem = make("span.problem", { id: `${id}-problem`, role: "alert" });
  element.setAttribute("aria-describedby", problem.id);
  element.name = name;
  element.addEventListener("change", async () => {
    const values = element.value
      .split(name === "tasks" ? "\n" : "\0")
      .filter((value, index) => value.trim() || index === 0);
    const found = await Promise.all(values.map((value) => check(command, name, value)));
    problem.textContent = found.find(Boolean) ?? "";
    element.setAttribute("aria-invalid", problem.textContent ? "true" : "false");
  });
  return make("label", {}, label, hint && make("small", {}, hint), element, problem);
}

function values(form) {
  const found = Object.fromEntries(new FormData(form));
  if ("tasks" in found) found.tasks = found.tasks.split("\n").filter((task) => task.trim());
  return found;
}

/** The form of a push. Its list is what ALPHA holds now. */
export async function newDeployment(speaker, wanted = "") {
  const updates = await complete(speaker, "push ", true);
  const options = updates.map((id) => make("option", { value: id, selected: id === wanted }, id));
  const fields = [
    {
      name: "id",
      label: "Update",
      hint: "what ALPHA holds now, the newest first",
      element: make("select", {}, options),
    },
    { name: "description", label: "Description", hint: "what changes", element: make("input", { maxlength: 500 }) },
    { name: "info", label: "More information (optional)", element: make("textarea", { rows: 2, maxlength: 2000 }) },
    {
      name: "tasks",
      label: "Linked tasks (optional)",
      hint: "one on each line",
      element: make("textarea", { rows: 2 }),
    },
  ];
  const empty = updates.length === 0 && make("p", {}, "ALPHA holds no updates yet.");
  open("New deployment", [empty, fields.map((one) => field("push", one))], {
    label: "Push to Public",
    act: (form) => fillIn(speaker, "push", values(form)),
  });
}

/** Questions that the bot asks. */
export function form(speaker, { title, command, fields }) {
  const inputs = fields.map(({ name, label, required }) =>
    field(command, {
      name,
      label: required ? label : `${label} (optional)`,
      element: make("input", { maxlength: 2000 }),
    }),
  );
  open(title, inputs, { label: "Send", act: (sent) => fillIn(speaker, command, values(sent)) });
}

export function help() {
  const rows = [
    ["Enter", "send what is typed"],
    ["Tab", "complete a command, an id or a flag; after Escape, go on to Send"],
    ["↑ ↓", "what you said before"],
    ["Escape", "close what is open, then leave the list"],
    ["Alt+1 … Alt+9", "speak as somebody else"],
    ["Alt+N", "new deployment"],
  ];
  const keys = make(
    "dl",
    {},
    rows.map(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]),
  );
  const content = [
    make(
      "p",
      {},
      "You are everybody here: choose at the top who speaks. Whoever pushed an update cannot approve it, so somebody " +
        "else has to. Answers are seen by the speaker alone; cards are seen by all, and change as things happen.",
    ),
    make("p", {}, worded("All commands: `deploy help`. A way to begin: `deploy status`, then New deployment.")),
    keys,
  ];
  const dialog = open("Help", content, { label: "Close", act: async () => undefined });
  dialog.querySelector(".choices button").remove();
}
