// Why an item is recommended: signed bars, each with its number as text.

import { ask } from "./api.js";
import { announce, button, element, nameOf, unseen } from "./elements.js";

const SHOWN = 8; // past items, those that weigh most
const NEWEST = 200; // events that the server explains at most

/** What opens to say why: a panel that asks once, when it is first opened. */
export function explanation(id, { history, item, model, fail }) {
  const panel = element("div", { id, class: "why", hidden: true });
  const toggle = button("Explain", act, "quiet explain");
  toggle.setAttribute("aria-controls", id);
  toggle.append(unseen(` ${nameOf(item)}`));
  let asked = false;

  function open(isOpen) {
    panel.hidden = !isOpen;
    toggle.setAttribute("aria-expanded", String(isOpen));
  }

  async function act() {
    open(panel.hidden);
    if (asked) return;
    asked = true;
    panel.replaceChildren(element("p", { class: "note" }, "Asking …"));
    try {
      const past = history.slice(-NEWEST).map((event) => event.item_id);
      const answer = await ask("v1/explain", { body: { history: past, item_id: item.item_id, model } });
      panel.replaceChildren(...told(answer, item, history.length - past.length));
      announce(`${nameOf(item)} is explained`);
    } catch (error) {
      asked = false;
      open(false);
      if (panel.isConnected) fail(error); // the list it was about may be gone by now
    }
  }

  open(false);
  return { toggle, panel };
}

function told(answer, item, before) {
  const events = [...answer.events].sort((one, other) => Math.abs(other.change) - Math.abs(one.change));
  const shown = events.slice(0, SHOWN);
  const named = { Attention: answer.attention, Recurrence: answer.recurrence };
  const parts = Object.entries(named).filter(([, change]) => typeof change === "number"); // those that the model has
  const found = [
    element("h4", {}, `What carried ${nameOf(item)}`),
    bars(shown.map((event) => [`${before + event.place + 1}. ${nameOf(event)}`, event.change])),
  ];
  if (events.length > SHOWN) found.push(note(`${events.length - SHOWN} that weigh less are not shown.`));
  if (before) found.push(note(`Only the newest ${NEWEST} items of the history are looked at.`));
  if (parts.length) found.push(element("h4", {}, "What came through which part"), bars(parts));
  const meaning = "Each number is what the score would lose without that item or part; they need not add up.";
  return [...found, note(`Score ${number(answer.score)}. ${meaning}`)];
}

/** A list of names with their changes, to one scale. */
function bars(rows) {
  const most = Math.max(...rows.map(([, change]) => Math.abs(change)), Number.MIN_VALUE);
  const made = element("ul", { class: "bars" });
  for (const [name, change] of rows) {
    const bar = element("span", { class: change < 0 ? "bar against" : "bar for" });
    bar.style.setProperty("--share", (Math.abs(change) / most).toFixed(4));
    const track = element("span", { class: "track", "aria-hidden": "true" }, bar);
    const told = element("span", { class: "number" }, signed(change));
    made.append(element("li", {}, element("span", { class: "name" }, name), track, told));
  }
  return made;
}

const note = (text) => element("p", { class: "note" }, text);

const whole = new Intl.NumberFormat("en");
const hundredths = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
const plain = new Intl.NumberFormat("en", hundredths);
const withSign = new Intl.NumberFormat("en", { ...hundredths, signDisplay: "exceptZero" });

/** A score in few digits; how often an item was taken is a whole number. */
export const number = (value) => (Number.isInteger(value) ? whole : plain).format(value).replace("-", "−");

const signed = (value) => withSign.format(value).replace("-", "−");
