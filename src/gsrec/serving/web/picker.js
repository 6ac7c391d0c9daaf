// Search as you type, after the ARIA pattern of a combobox with a listbox: the focus stays in the field.

import { ask, Newest } from "./api.js";
import { announce, byId, element, idBeside, nameOf } from "./elements.js";

const LIMIT = 20; // items found at most
const NOTHING = "Nothing is found: try a part of a title, or an id.";
const PAUSE = 150; // milliseconds without a key before the server is asked

/** Let the field pick items; `take(item)` gets each, `fail(error)` what went wrong. */
export function startPicker(take, fail) {
  const field = byId("search");
  const list = byId("found");
  const newest = new Newest();
  let items = [];
  let active = -1;
  let answered = ""; // what the list is the answer to
  let timer = 0;
  let wanted = false; // Enter came before the answer

  function close() {
    clearTimeout(timer);
    newest.stop();
    [items, active, answered, wanted] = [[], -1, "", false];
    list.hidden = true;
    list.replaceChildren();
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function point(place) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = place;
    const option = list.children[place];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  }

  function pick(place) {
    const item = items[place];
    field.value = "";
    close();
    take(item);
  }

  function show(found, query) {
    [items, active, answered] = [found, -1, query];
    list.replaceChildren(...found.map(option));
    if (!found.length) list.append(element("li", { class: "none", role: "option", "aria-disabled": "true" }, NOTHING));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    if (found.length) point(0);
    announce(counted(found.length));
    if (wanted && found.length) pick(0);
    wanted = false;
  }

  function option(item, place) {
    const made = element("li", { id: `found-${place}`, role: "option", "aria-selected": "false" });
    made.append(element("span", {}, nameOf(item)), idBeside(item) ?? "");
    made.addEventListener("click", () => pick(place));
    return made;
  }

  async function search() {
    const query = field.value.trim();
    const path = `v1/items?${new URLSearchParams({ query, limit: LIMIT })}`;
    try {
      const answer = await newest.run((signal) => ask(path, { signal }));
      if (answer) show(answer.items, query);
    } catch (error) {
      close();
      fail(error, search);
    }
  }

  const keys = {
    ArrowDown: () => (items.length ? point((active + 1) % items.length) : search()),
    ArrowUp: () => items.length && point((active - 1 + items.length) % items.length),
    Enter: () => {
      if (items.length && answered === field.value.trim()) pick(active);
      else wanted = true;
    },
    Escape: () => {
      if (list.hidden) field.value = "";
      close();
    },
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    newest.stop();
    if (field.value.trim()) timer = setTimeout(search, PAUSE);
    else close();
  });
  field.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    const isIdle = list.hidden && !field.value.trim(); // then only the arrow down does something: it shows everything
    if (!act || event.isComposing || (isIdle && event.key !== "ArrowDown")) return;
    event.preventDefault();
    act();
  });
  field.addEventListener("blur", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
}

function counted(number) {
  if (number === 0) return "No items found";
  if (number === LIMIT) return `The first ${LIMIT} items found`;
  return number === 1 ? "1 item found" : `${number} items found`;
}
