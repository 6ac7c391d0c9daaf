// Elements of the page. Titles come from elsewhere: text is only ever put in as text, never read as HTML.

/** An element; strings among its children become text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/** Text for those who listen only. */
export const unseen = (text) => element("span", { class: "unseen" }, text);

/** What an item is called: its title, or its id where it has none. */
export const nameOf = (item) => item.title ?? String(item.item_id);

/** Its id, where a title stands in for it. */
export const idBeside = (item) => (item.title == null ? null : element("span", { class: "id" }, String(item.item_id)));

/** Tell it to those who listen, without moving them. */
export function announce(text) {
  byId("status").textContent = text;
}

/** Show what went wrong, with a way on; null: nothing does any more. */
export function alarm(error, again = null) {
  const close = () => alarm(null);
  if (error === null) return byId("alert").replaceChildren();
  const place = error.where ? ` (${error.where})` : "";
  const buttons = element("span", { class: "buttons" }, button("Close", close, "quiet"));
  if (again) buttons.prepend(button("Try again", () => { close(); again(); }));
  byId("alert").replaceChildren(element("p", {}, error.message + place), buttons);
}

/** A button that does one thing. */
export function button(text, act, kind = "") {
  const made = element("button", { type: "button", class: `button ${kind}`.trim() }, text);
  made.addEventListener("click", act);
  return made;
}

/** A select's choices, of which one is chosen; values are places in `names`. */
export function fill(select, names, chosen = 0) {
  select.replaceChildren(...names.map((name, place) => element("option", { value: place }, name)));
  select.value = String(chosen);
}
