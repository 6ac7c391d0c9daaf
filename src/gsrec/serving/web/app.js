// The page's state, and what follows from it.

import { ask, Newest, useKey } from "./api.js";
import { columns } from "./columns.js";
import { alarm, announce, byId, element, fill, nameOf, unseen } from "./elements.js";
import { startPicker } from "./picker.js";
import { Replay } from "./replay.js";

const K = 10;
const newest = new Newest();
const replay = new Replay(follow, fail);
let history = []; // items {item_id, title}, oldest first
let models = []; // as the server lists them

function fail(error, again = null) {
  if (error.status === 401) askForKey();
  alarm(error, error.status === 401 ? null : again);
}

function askForKey() {
  byId("key").hidden = false;
  byId("key-value").focus();
}

async function start() {
  try {
    models = (await ask("v1/models")).models;
  } catch (error) {
    return fail(error, start);
  }
  if (byId("key").contains(document.activeElement)) byId("search").focus();
  byId("key").hidden = true;
  alarm(null);
  byId("choose").hidden = models.length < 2;
  const names = models.map((model) => model.name);
  byId("repeats").checked = models.some((model) => !model.filter_seen);
  fill(byId("model-0"), names);
  fill(byId("model-1"), [...names, "none"], models.length > 1 ? 1 : names.length);
  await Promise.all([replay.offer(), recommend()]);
}

/** The models that are asked, one for each column. */
function chosen() {
  const places = [byId("model-0").value, byId("model-1").value].map(Number);
  return [...new Set(places)].map((place) => models[place]).filter(Boolean);
}

/** Ask every chosen model what follows the history, and show it unless the history has changed meanwhile. */
async function recommend(told = "") {
  const filterSeen = !byId("repeats").checked;
  const body = { history: history.map((item) => item.item_id), k: K, filter_seen: filterSeen };
  const about = { models, history, filterSeen, truth: replay.truth, take: (item) => add(item), fail };
  const asked = chosen();
  byId("columns").setAttribute("aria-busy", "true");
  try {
    const answers = await newest.run((signal) =>
      Promise.all(asked.map(({ name }) => ask("v1/recommend", { body: { ...body, model: name }, signal }))),
    );
    if (!answers) return; // a newer question is on its way
    alarm(null);
    show(columns(answers, about));
    announce([told, ...answers.map(first)].filter(Boolean).join(". "));
  } catch (error) {
    byId("columns").setAttribute("aria-busy", "false");
    fail(error, () => recommend());
  }
}

const first = ({ model, items }) => `${model}: ${items.length ? `first comes ${nameOf(items[0])}` : "nothing is left"}`;

/** Put the new lists in place; who was in the old one stays at the same row. */
function show(made) {
  const place = byId("columns");
  const before = place.contains(document.activeElement) ? document.activeElement.closest(".row") : null;
  place.replaceChildren(...made);
  place.setAttribute("aria-busy", "false");
  if (!before) return;
  const row = byId(before.id) ?? place.querySelector(".row");
  (row?.querySelector(".take") ?? byId("search")).focus({ preventScroll: true });
}

/** The history is this one now. */
function follow(items, told) {
  history = items;
  showHistory();
  return recommend(told);
}

/** The history as somebody changed it by hand, which ends a replay. */
function change(items, told) {
  replay.end();
  return follow(items, told);
}

const add = (item) => change([...history, item], `${nameOf(item)} is number ${history.length + 1} of the history`);

function remove(place) {
  const told = `${nameOf(history[place])} is removed`;
  change(history.toSpliced(place, 1), told);
  const left = byId("history").querySelectorAll("button");
  (left[Math.min(place, left.length - 1)] ?? byId("search")).focus();
}

function showHistory() {
  const strip = byId("history");
  const [shown, scrolled] = [strip.childElementCount, strip.scrollLeft];
  strip.replaceChildren(...history.map(card));
  strip.scrollLeft = history.length > shown ? strip.scrollWidth : scrolled;
  byId("history-count").textContent = history.length ? String(history.length) : "";
  byId("history-empty").hidden = byId("clear").hidden = false;
  (history.length ? byId("history-empty") : byId("clear")).hidden = true;
}

function card(item, place) {
  const away = element("button", { type: "button", class: "away" }, element("span", { "aria-hidden": "true" }, "×"));
  away.append(unseen(`Remove ${nameOf(item)}, number ${place + 1}`));
  away.addEventListener("click", () => remove(place));
  const number = element("span", { class: "place", "aria-hidden": "true" }, String(place + 1));
  return element("li", { class: "card" }, number, element("span", { class: "name" }, nameOf(item)), away);
}

byId("clear").addEventListener("click", () => {
  change([], "The history is empty");
  byId("search").focus();
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key-value").value.trim());
  byId("key-value").value = "";
  start();
});
for (const id of ["model-0", "model-1", "repeats"]) byId(id).addEventListener("change", () => recommend());
startPicker(add, fail);
start();
